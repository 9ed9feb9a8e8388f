package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import javax.imageio.ImageIO
import kotlin.math.abs

class OutputTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `sizes - whole, a factor, a long side, never more than the model makes`() {
        fun size(wish: OutputSize) = Output(wish).dimensions(400, 300, 4)
        assertEquals(1600 to 1200, size(OutputSize.Full))
        assertEquals(800 to 600, size(OutputSize.Factor(2.0)))
        assertEquals(1000 to 750, size(OutputSize.LongSide(1000)))
        assertEquals(1600 to 1200, size(OutputSize.LongSide(9000)))
        assertEquals(1600 to 1200, size(OutputSize.Factor(8.0)))
        assertEquals(100 to 1, Output(OutputSize.LongSide(100)).dimensions(4000, 3, 4))
        assertThrows(IllegalArgumentException::class.java) { Output(OutputSize.Factor(0.5)) }
    }

    @Test
    fun `the format is the photo's own where it can be`() {
        assertEquals(PictureFormat.JPEG, Output().formatFor("image/jpeg", false))
        assertEquals(PictureFormat.PNG, Output().formatFor("image/png", false))
        assertEquals(PictureFormat.JPEG, Output().formatFor("image/heic", false))
        assertEquals("JPEG has no transparency", PictureFormat.PNG, Output().formatFor("image/webp", true))
        assertEquals(PictureFormat.WEBP, Output(format = PictureFormat.WEBP).formatFor("image/png", true))
    }

    @Test
    fun `reducing keeps the mean, and whole numbers of pixels exactly`() {
        val photo = noise(90, 60)
        assertArrayEquals("1:1", photo.pixels, reduce(photo, 90, 60).pixels)
        val third = reduce(photo, 30, 20)
        for ((x, y) in listOf(0 to 0, 13 to 7, 29 to 19)) {
            val mean = (0 until 9).sumOf { photo.pixels[(3 * y + it / 3) * 90 + 3 * x + it % 3] and 255 } / 9.0
            assertEquals(mean, (third.pixels[y * 30 + x] and 255).toDouble(), 0.51)
        }
        for ((width, height) in listOf(89 to 59, 61 to 7, 1 to 1, 90 to 1)) {
            val small = reduce(photo, width, height)
            assertTrue("${width}x$height", abs(mean(photo) - mean(small)) < 1.0)
            assertTrue(small.pixels.all { it ushr 24 == 255 })
        }
    }

    @Test
    fun `hidden colour does not bleed into what is seen`() {
        val photo = ArrayImage(2, 1, intArrayOf(0xFFFF8000.toInt(), 0x000000FF))
        assertEquals(0x80FF8000.toInt(), reduce(photo, 1, 1).pixels.single())
    }

    @Test
    fun `a task writes the size and the format that were asked for`() {
        val model = modelOf(tile = 32, scale = 4, halo = 8)
        val task = UpscaleTask(model, Selection(NearestEngine(model.shape), CPU, emptyList(), null))
        val photo = ArrayImage(50, 40, IntArray(2000) { (255 shl 24) or (it % 50 * 4 shl 8) })
        val done = task.run(photo, File(folder.root, "out.jpg"), PictureFormat.JPEG, size = 110 to 88)
        assertEquals(listOf(110, 88), listOf(done.width, done.height))
        val read = ImageIO.read(done.file)
        assertEquals(listOf(110, 88), listOf(read.width, read.height))
        assertEquals("column 55 of 110 is column 25 of 50", 100, read.getRGB(55, 40) ushr 8 and 255, 4)
        assertTrue(ImageIO.getImageReaders(ImageIO.createImageInputStream(done.file)).next().formatName.equals("jpeg", true))
    }

    @Test
    fun `a disk without room is told before the first tile`() {
        val model = modelOf(tile = 32, scale = 4, halo = 8)
        var tiles = 0
        val engine = ScriptedEngine(CPU) { tiles++; NearestEngine(model.shape).run(it) }
        val full = object : File(folder.root, "out.png") {
            override fun getAbsoluteFile(): File = object : File(folder.root, "out.png") {
                override fun getParentFile(): File = object : File(folder.root.path) {
                    override fun getUsableSpace() = 1000L
                }
            }
        }
        val error = assertThrows(NotEnoughSpaceException::class.java) {
            UpscaleTask(model, Selection(engine, CPU, emptyList(), null)).run(noise(50, 40), full)
        }
        assertEquals(1000L, error.available)
        assertEquals(0, tiles)
        assertEquals(0, folder.root.list()!!.size)
    }

    private fun assertEquals(message: String, expected: Int, actual: Int, tolerance: Int) = assertTrue("$message: $actual", abs(expected - actual) <= tolerance)

    private fun mean(image: ArrayImage) = image.pixels.sumOf { it and 255 } / image.pixels.size.toDouble()

    private fun reduce(photo: ArrayImage, width: Int, height: Int): ArrayImage {
        val rows = Collected(width, height)
        val sink = ReducingSink(rows, photo.width, photo.height, width, height)
        for (y in 0 until photo.height) sink.row(photo.pixels, y * photo.width)
        assertEquals(height, rows.rows)
        return ArrayImage(width, height, rows.pixels)
    }
}
