package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.ByteArrayOutputStream
import javax.imageio.ImageIO
import kotlin.math.abs

class JpegWriterTest {
    @Test
    fun `another reader sees nearly the same pixels, at any size`() {
        for ((width, height) in listOf(1 to 1, 7 to 9, 8 to 8, 65 to 33, 200 to 120)) {
            val photo = smooth(width, height)
            val read = ImageIO.read(write(photo, 95).inputStream())
            assertEquals(listOf(width, height), listOf(read.width, read.height))
            val worst = largest(photo.pixels, read.getRGB(0, 0, width, height, null, 0, width))
            assertTrue("${width}x$height: $worst", worst <= 6)
        }
    }

    @Test
    fun `colour is not subsampled`() {
        val stripes = ArrayImage(64, 64, IntArray(4096) { if (it % 2 == 0) 0xFFFF0000.toInt() else 0xFF0000FF.toInt() })
        val read = ImageIO.read(write(stripes, 98).inputStream())
        assertTrue("red next to blue", abs((read.getRGB(31, 31) ushr 16 and 255) - (read.getRGB(32, 31) ushr 16 and 255)) > 200)
    }

    @Test
    fun `noise needs the long codes, and low quality is smaller`() {
        val photo = noise(160, 160)
        val best = write(photo, 100)
        val read = ImageIO.read(best.inputStream())
        assertTrue(largest(photo.pixels, read.getRGB(0, 0, 160, 160, null, 0, 160)) <= 8)
        assertTrue(write(photo, 30).size < best.size / 3)
        ImageIO.read(write(photo, 1).inputStream())
    }

    @Test
    fun `missing and surplus rows, and sizes beyond the format, are errors`() {
        val writer = JpegWriter(ByteArrayOutputStream(), 2, 1, 90)
        assertThrows(IllegalStateException::class.java) { writer.finish() }
        writer.row(IntArray(2), 0)
        assertThrows(IllegalStateException::class.java) { writer.row(IntArray(2), 0) }
        assertThrows(IllegalArgumentException::class.java) { JpegWriter(ByteArrayOutputStream(), 65536, 1, 90) }
    }

    private fun smooth(width: Int, height: Int) = ArrayImage(
        width, height,
        IntArray(width * height) { i -> (255 shl 24) or ((40 + i % width) and 255 shl 16) or ((80 + i / width) and 255 shl 8) or (120 + (i % width + i / width) / 3 and 255) },
    )

    private fun write(photo: ArrayImage, quality: Int): ByteArray = ByteArrayOutputStream().also { out ->
        JpegWriter(out, photo.width, photo.height, quality).use { jpeg ->
            for (y in 0 until photo.height) jpeg.row(photo.pixels, y * photo.width)
            jpeg.finish()
        }
    }.toByteArray()

    private fun largest(a: IntArray, b: IntArray) = a.indices.maxOf { i -> intArrayOf(0, 8, 16).maxOf { abs((a[i] ushr it and 255) - (b[i] ushr it and 255)) } }
}
