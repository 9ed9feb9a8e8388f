package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import javax.imageio.ImageIO

class PngWriterTest {
    @Test
    fun `another reader sees the same pixels`() {
        for ((width, height) in listOf(1 to 1, 1 to 50, 257 to 3, 640 to 200)) {
            for (alpha in listOf(false, true)) {
                val photo = noise(width, height, alpha = alpha)
                val read = ImageIO.read(ByteArrayInputStream(write(photo, alpha)))
                assertEquals(width, read.width)
                assertArrayEquals(photo.pixels, read.getRGB(0, 0, width, height, null, 0, width))
            }
        }
    }

    @Test
    fun `a smooth picture gets small`() {
        val photo = ArrayImage(400, 400, IntArray(160_000) { (255 shl 24) or (it % 400 / 2 shl 8) or (it / 400 / 2) })
        assert(write(photo, false).size < 10_000)
    }

    @Test
    fun `any rectangle is read without the rest, at any step`() {
        val file = File.createTempFile("rows", ".png").apply { deleteOnExit() }
        for (alpha in listOf(false, true)) {
            val photo = noise(61, 300, alpha = alpha)
            file.writeBytes(write(photo, alpha))
            PngRows.open(file)!!.use { rows ->
                assertEquals(listOf(61, 300, alpha), listOf(rows.width, rows.height, rows.hasAlpha))
                for ((x, y, width, height) in listOf(listOf(0, 0, 61, 300), listOf(7, 250, 20, 50), listOf(60, 63, 1, 2))) {
                    val found = IntArray(width * height).also { rows.read(x, y, width, height, it) }
                    assertArrayEquals(IntArray(width * height).also { photo.read(x, y, width, height, it) }, found)
                }
                val third = IntArray(21 * 100).also { rows.readSampled(0, 0, 61, 300, 3, it) }
                assertArrayEquals(IntArray(21 * 100) { photo.pixels[it / 21 * 3 * 61 + it % 21 * 3] }, third)
            }
        }
    }

    @Test
    fun `the rows above are really not read`() {
        val file = File.createTempFile("rows", ".png").apply { deleteOnExit() }
        val photo = noise(100, 640)
        file.writeBytes(write(photo, false).also { bytes -> for (i in 2000 until 20_000) bytes[i] = 0 }) // the first parts are destroyed
        PngRows.open(file)!!.use { rows ->
            val last = IntArray(100).also { rows.read(0, 639, 100, 1, it) }
            assertArrayEquals(photo.pixels.copyOfRange(63_900, 64_000), last)
        }
    }

    @Test
    fun `a PNG of somebody else's, and a cut one, are not ours`() {
        val file = File.createTempFile("rows", ".png").apply { deleteOnExit() }
        ImageIO.write(java.awt.image.BufferedImage(70, 70, 1), "png", file)
        assertEquals(null, PngRows.open(file))
        file.writeBytes(write(noise(70, 70), false).copyOf(500))
        assertEquals(null, PngRows.open(file))
    }

    @Test
    fun `missing and surplus rows are errors`() {
        PngWriter(ByteArrayOutputStream(), 2, 2, false).use { png ->
            png.row(IntArray(2), 0)
            assertThrows(IllegalStateException::class.java) { png.finish() }
            png.row(IntArray(2), 0)
            assertThrows(IllegalStateException::class.java) { png.row(IntArray(2), 0) }
        }
    }

    private fun write(photo: ArrayImage, alpha: Boolean): ByteArray {
        val out = ByteArrayOutputStream()
        PngWriter(out, photo.width, photo.height, alpha).use { png ->
            for (y in 0 until photo.height) png.row(photo.pixels, y * photo.width)
            png.finish()
        }
        return out.toByteArray()
    }
}
