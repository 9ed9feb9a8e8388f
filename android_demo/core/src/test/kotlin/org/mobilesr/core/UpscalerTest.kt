package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.math.abs

class UpscalerTest {
    private val shape = shapeOf(tile = 64, scale = 2)

    @Test
    fun `any size - 1x1, thin, smaller than a tile, equal to it, primes`() {
        val sizes = listOf(1 to 1, 1 to 97, 131 to 1, 2 to 3, 63 to 5, 64 to 64, 65 to 64, 71 to 101, 127 to 89)
        for ((width, height) in sizes) {
            for (halo in listOf(0, 16)) {
                val photo = noise(width, height)
                val result = upscale(photo, NearestEngine(shape), shape, halo)
                assertArrayEquals("${width}x$height halo $halo", nearest(photo, 2), result.pixels)
            }
        }
    }

    @Test
    fun `a halo of the receptive field leaves no seam, and halo 0 does`() {
        val flat = shapeOf(tile = 64, scale = 1)
        val photo = noise(113, 97)
        val whole = blurOfWhole(photo, radius = 16)
        val good = upscale(photo, BlurEngine(flat, 16), flat, halo = 16)
        assertEquals("halo 16", 0, largestInside(good, whole, 16))
        val seams = upscale(photo, BlurEngine(flat, 16), flat, halo = 0)
        assertTrue("the control must show seams", largestInside(seams, whole, 16) > 20)
    }

    @Test
    fun `alpha is enlarged bilinearly and hidden colour does not bleed`() {
        // right half invisible, its hidden colour black
        val photo = ArrayImage(20, 20, IntArray(400) { if (it % 20 < 10) 0xFFFF8040.toInt() else 0 })
        val blurred = shapeOf(tile = 64, scale = 1)
        val result = upscale(photo, BlurEngine(blurred, 2), blurred, halo = 16)
        val inside = result.pixels[10 * 20 + 9]
        assertEquals(255, inside ushr 24)
        assertEquals("no dark fringe", 0xFF8040, inside and 0xFFFFFF)
        val doubled = upscale(photo, NearestEngine(shape), shape, halo = 16)
        val row = (0 until 40).map { doubled.pixels[20 * 40 + it] ushr 24 }
        assertEquals(listOf(255, 191, 64, 0), row.subList(18, 22))
    }

    @Test
    fun `an opaque picture stays opaque`() {
        val result = upscale(noise(30, 30), NearestEngine(shape), shape, 16)
        assertTrue(result.pixels.all { it ushr 24 == 255 })
    }

    @Test
    fun `cancel stops between two tiles`() {
        val cancel = CancelToken()
        var tiles = 0
        val engine = ScriptedEngine(CPU) { input ->
            if (++tiles == 3) cancel.cancel()
            NearestEngine(shape).run(input)
        }
        val upscaler = Upscaler(noise(200, 200), engine, modelOf(shape, 16))
        assertThrows(CancellationException::class.java) { upscaler.run({ _, _ -> }, cancel) }
        assertEquals(3, tiles)
    }

    @Test
    fun `NaN in the middle of the work is an error with the tile's number`() {
        var tiles = 0
        val engine = ScriptedEngine(CPU) { input -> NearestEngine(shape).run(input).also { if (tiles++ == 2) it[77] = Float.NaN } }
        val upscaler = Upscaler(noise(200, 60), engine, modelOf(shape, 16))
        val error = assertThrows(BrokenOutputException::class.java) { upscaler.run({ _, _ -> }) }
        assertEquals(2, error.tile)
    }

    @Test
    fun `progress counts every tile and ends with nothing left`() {
        val seen = ArrayList<Progress>()
        val upscaler = Upscaler(noise(100, 100), NearestEngine(shape), modelOf(shape, 16))
        upscaler.run({ _, _ -> }) { seen += it }
        assertEquals((1..upscaler.plan.count).toList(), seen.map { it.done })
        assertEquals(0.0, seen.last().secondsLeft!!, 0.0)
    }

    @Test
    fun `a source that fails in the middle ends the work with its own error`() {
        val broken = object : PixelSource by noise(300, 300) {
            override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
                if (y > 0) throw java.io.IOException("card pulled out")
            }
        }
        val upscaler = Upscaler(broken, NearestEngine(shape), modelOf(shape, 16))
        assertEquals("card pulled out", assertThrows(java.io.IOException::class.java) { upscaler.run({ _, _ -> }) }.message)
    }

    @Test
    fun `while one band is written the next is computed`() {
        val secondBand = CountDownLatch(1)
        val tiles = AtomicInteger()
        val columns = TilePlan(200, 400, 64, 64, 16, 2).columns.size
        val engine = object : TileEngine by NearestEngine(shape) {
            private val real = NearestEngine(shape)

            override fun run(input: FloatArray): FloatArray = real.run(input).also { if (tiles.incrementAndGet() > columns) secondBand.countDown() }
        }
        var overlapped: Boolean? = null
        Upscaler(noise(200, 400), engine, modelOf(shape, 16)).run({ _, _ ->
            // the first row of the first band: one after the other, no tile of the second band would ever come
            if (overlapped == null) overlapped = secondBand.await(30, TimeUnit.SECONDS)
        })
        assertEquals(true, overlapped)
    }

    @Test
    fun `a sink that fails in the middle ends the work with its own error`() {
        var rows = 0
        val upscaler = Upscaler(noise(200, 400), NearestEngine(shape), modelOf(shape, 16))
        val error = assertThrows(java.io.IOException::class.java) {
            upscaler.run({ _, _ -> if (++rows == 70) throw java.io.IOException("No space left on device") })
        }
        assertEquals("No space left on device", error.message)
        assertEquals("nothing is written after the failure", 70, rows)
    }

    @Test
    fun `the pacer is asked before every tile, and can end the work`() {
        val upscaler = Upscaler(noise(200, 200), NearestEngine(shape), modelOf(shape, 16))
        var asked = 0
        upscaler.run({ _, _ -> }, pacer = { asked++ })
        assertEquals(upscaler.plan.count, asked)
        assertThrows(CancellationException::class.java) { upscaler.run({ _, _ -> }, pacer = { throw CancellationException() }) }
    }

    @Test
    fun `another range than 0 to 1`() {
        val range = ValueRange(-1f, 1f)
        val codec = PixelCodec(range)
        val floats = FloatArray(6)
        codec.encode(intArrayOf(0xFF00FF80.toInt(), 0xFF123456.toInt()), 2, floats)
        assertEquals(-1f, floats[0], 0f)
        assertEquals(1f, floats[1], 1e-6f)
        assertEquals(0xFF00FF80.toInt(), codec.decode(floats, 0))
        assertEquals(0xFF123456.toInt(), codec.decode(floats, 3))
        assertEquals(0xFFFF0000.toInt(), codec.decode(floatArrayOf(9f, -9f, -1f), 0))
    }

    private fun blurOfWhole(photo: ArrayImage, radius: Int): IntArray {
        fun tensor(name: String) = TensorSpec(name, listOf(1, photo.height, photo.width, 3), TensorType.FLOAT32, null)
        val shape = ModelShape(tensor("image"), tensor("upscaled"), photo.width, photo.height, 1)
        return upscale(photo, BlurEngine(shape, radius), shape, 0).pixels
    }

    private fun largestInside(result: ArrayImage, expected: IntArray, margin: Int): Int {
        var largest = 0
        for (y in margin until result.height - margin) {
            for (x in margin until result.width - margin) {
                val i = y * result.width + x
                for (shift in intArrayOf(0, 8, 16)) {
                    largest = maxOf(largest, abs((result.pixels[i] ushr shift and 255) - (expected[i] ushr shift and 255)))
                }
            }
        }
        return largest
    }
}
