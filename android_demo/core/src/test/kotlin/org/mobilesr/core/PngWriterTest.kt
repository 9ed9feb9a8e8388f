package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
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
