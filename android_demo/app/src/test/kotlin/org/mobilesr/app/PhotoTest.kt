package org.mobilesr.app

import android.graphics.Bitmap
import android.graphics.Color
import org.mobilesr.Photo
import org.mobilesr.UnreadablePhotoException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.mobilesr.core.ArrayImage
import org.mobilesr.core.Orientation
import org.mobilesr.core.PixelSource
import org.mobilesr.core.Reading
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.ByteBuffer

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [26, 35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhotoTest {
    @get:Rule
    val folder = TemporaryFolder()

    /** Four quarters: red, green / blue, white. */
    private val quarters = Bitmap.createBitmap(32, 16, Bitmap.Config.ARGB_8888).apply {
        for (y in 0 until 16) {
            for (x in 0 until 32) setPixel(x, y, if (y < 8) (if (x < 16) Color.RED else Color.GREEN) else (if (x < 16) Color.BLUE else Color.WHITE))
        }
    }

    /** Corners of the upright picture: top left, top right, bottom left, bottom right. */
    private val corners = mapOf(
        1 to "RGBW", 2 to "GRWB", 3 to "WBGR", 4 to "BWRG", 5 to "RBGW", 6 to "BRWG", 7 to "WGBR", 8 to "GWRB",
    )

    @Test
    @Config(sdk = [35]) // Robolectric's API 26 cannot seek in files, which its EXIF reader needs
    fun `EXIF orientations 1 to 8, as a whole, by regions and as a preview`() {
        for ((exif, expected) in corners) {
            val photo = Photo.of(jpeg(exif), "photo.jpg")
            assertEquals("$exif", Orientation.ofExif(exif), photo.orientation)
            assertEquals("$exif", exif >= 5, photo.height > photo.width)
            for (reading in Reading.entries) photo.open(reading).use { assertEquals("$exif $reading", expected, cornersOf(it)) }
            val preview = photo.preview(100)
            val pixels = IntArray(preview.width * preview.height)
            preview.getPixels(pixels, 0, preview.width, 0, 0, preview.width, preview.height)
            assertEquals("$exif preview", expected, cornersOf(ArrayImage(preview.width, preview.height, pixels)))
        }
    }

    @Test
    fun `transparency is seen and kept`() {
        val clear = Bitmap.createBitmap(9, 7, Bitmap.Config.ARGB_8888).apply { eraseColor(0x80FF4020.toInt()) }
        val photo = Photo.of(png(clear), "clear.png")
        for (reading in Reading.entries) {
            photo.open(reading).use { source ->
                assertTrue(source.hasAlpha)
                val pixel = IntArray(1).also { source.read(4, 3, 1, 1, it) }.single()
                assertEquals(0x80, Color.alpha(pixel))
                assertTrue("$reading ${Integer.toHexString(pixel)}", Math.abs(Color.red(pixel) - 0xFF) <= 1 && Math.abs(Color.green(pixel) - 0x40) <= 1)
            }
        }
        Photo.of(jpeg(1), "photo.jpg").open(Reading.WHOLE).use { assertFalse(it.hasAlpha) }
    }

    @Test
    fun `a format that could be transparent and is not is opaque`() {
        val bytes = ByteArrayOutputStream().also { @Suppress("DEPRECATION") quarters.compress(Bitmap.CompressFormat.WEBP, 90, it) }
        val opaque = listOf(png(quarters.copy(Bitmap.Config.ARGB_8888, true).apply { setHasAlpha(false) }), folder.newFile().apply { writeBytes(bytes.toByteArray()) })
        for (file in opaque) {
            for (reading in Reading.entries) Photo.of(file, "opaque").open(reading).use { assertFalse("$reading: three channels, half the work", it.hasAlpha) }
        }
    }

    @Test
    fun `one pixel is a photo too`() {
        val photo = Photo.of(png(Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888).apply { eraseColor(Color.GREEN) }), "dot.png")
        assertEquals(listOf(1, 1), listOf(photo.width, photo.height))
        photo.open(Reading.WHOLE).use { source -> assertEquals(Color.GREEN, IntArray(1).also { source.read(0, 0, 1, 1, it) }.single()) }
    }

    @Test
    fun `text and empty files are no pictures`() {
        for (content in listOf("", "just text", "\u0089PNG")) {
            val file = folder.newFile().apply { writeText(content) }
            assertThrows(UnreadablePhotoException::class.java) { Photo.of(file, "text.png") }
        }
    }

    private fun cornersOf(source: PixelSource): String {
        val points = listOf(1 to 1, source.width - 2 to 1, 1 to source.height - 2, source.width - 2 to source.height - 2)
        return points.joinToString("") { (x, y) ->
            val pixel = IntArray(1).also { source.read(x, y, 1, 1, it) }.single()
            when {
                Color.red(pixel) > 200 && Color.blue(pixel) > 200 -> "W"
                Color.red(pixel) > 200 -> "R"
                Color.green(pixel) > 200 -> "G"
                else -> "B"
            }
        }
    }

    private fun png(bitmap: Bitmap): File = folder.newFile().apply { outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) } }

    /** [quarters] as JPEG with an EXIF segment that holds the orientation and nothing else. */
    private fun jpeg(orientation: Int): File {
        val plain = ByteArrayOutputStream().also { quarters.compress(Bitmap.CompressFormat.JPEG, 100, it) }.toByteArray()
        val exif = ByteBuffer.allocate(36)
            .putShort(0xFFE1.toShort()).putShort(34).put("Exif\u0000\u0000MM\u0000*".toByteArray())
            .putInt(8).putShort(1).putShort(0x0112).putShort(3).putInt(1).putShort(orientation.toShort()).putShort(0).putInt(0)
        return folder.newFile().apply { writeBytes(plain.copyOf(2) + exif.array() + plain.drop(2)) }
    }
}
