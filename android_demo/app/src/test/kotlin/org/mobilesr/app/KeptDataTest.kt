package org.mobilesr.app

import android.app.Application
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.mobilesr.Photo
import org.mobilesr.PhotoUpscaler
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CancelToken
import org.mobilesr.core.ColorSpaceTag
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.Exif
import org.mobilesr.core.Extras
import org.mobilesr.core.GainMap
import org.mobilesr.core.Output
import org.mobilesr.core.PictureFile
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.PictureSpec
import org.mobilesr.core.UltraHdr
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode
import java.io.File
import java.nio.ByteBuffer
import javax.imageio.ImageIO

/** What a result keeps of its photo: colors beyond sRGB, the HDR gain map, date and camera. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class KeptDataTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val app: Application get() = RuntimeEnvironment.getApplication()

    @Before
    fun reset() = TestApp.reset()

    @Test
    fun `pure Display P3 green stays it, in every format`() {
        val photo = made(PictureFormat.PNG, Extras(color = ColorSpaceTag.DISPLAY_P3)) { 0xFF00FF00.toInt() }
        assertEquals(ColorSpaceTag.DISPLAY_P3, photo.color)
        for (format in PictureFormat.entries) {
            val result = upscale(photo, format)
            val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
            BitmapFactory.decodeFile(result.path, bounds)
            assertTrue("$format: ${bounds.outColorSpace}", bounds.outColorSpace!!.isWideGamut)
            val options = BitmapFactory.Options().apply { inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.DISPLAY_P3) }
            val bitmap = BitmapFactory.decodeFile(result.path, options)
            val color = bitmap.getColor(80, 60)
            assertEquals("$format: ${color.toArgb().toUInt().toString(16)}", 1f, color.green(), 0.06f)
            assertTrue("$format: red ${color.red()}", color.red() < 0.1f)
        }
    }

    @Test
    fun `an Ultra HDR photo keeps its gain map, turned with it`() {
        val small = made(PictureFormat.JPEG, Extras()) { i -> if (i % 40 < 20) -1 else 0xFF000000.toInt() }.file.readBytes()
        val xmp = """<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>"""
        val second = UltraHdr.second(small, xmp)
        val upright = upscale(made(PictureFormat.JPEG, Extras(gainMap = second)) { 0xFF808080.toInt() }, PictureFormat.JPEG)
        assertTrue("byte for byte", GainMap.read(upright)!!.jpeg.contentEquals(second))
        val turned = upscale(made(PictureFormat.JPEG, Extras(exif = orientation(6), gainMap = second)) { 0xFF808080.toInt() }, PictureFormat.JPEG)
        assertEquals(listOf(120, 160), ImageIO.read(turned).let { listOf(it.width, it.height) })
        val map = GainMap.read(turned)!!
        assertEquals(xmp, map.xmp)
        val read = ImageIO.read(map.jpeg.inputStream())
        assertEquals(listOf(30, 40), listOf(read.width, read.height))
        assertTrue("the white half was left, after a quarter turn it is on top", read.getRGB(15, 5) and 255 > 200 && read.getRGB(15, 35) and 255 < 50)
    }

    @Test
    fun `what the camera wrote stays, upright now`() {
        val result = upscale(made(PictureFormat.JPEG, Extras(exif = orientation(6))) { 0xFF808080.toInt() }, PictureFormat.PNG)
        val kept = Exif.read(result)!!
        assertEquals("the orientation is in the pixels now", 1, ByteBuffer.wrap(kept).getShort(18).toInt())
    }

    @Test
    fun `a WebP with transparency`() {
        val clear = File(folder.newFolder(), "clear.png")
        PictureFile().write(clear, PictureSpec(40, 30, true, PictureFormat.PNG, 90)) { rows ->
            val row = IntArray(40) { 0x80FF8000.toInt() }
            repeat(30) { rows.row(row, 0) }
        }
        val result = upscale(Photo.of(clear, "clear.png"), PictureFormat.WEBP)
        val bitmap = BitmapFactory.decodeFile(result.path)
        assertEquals(listOf(160, 120), listOf(bitmap.width, bitmap.height))
        assertTrue(bitmap.hasAlpha())
        assertFalse("not opaque", bitmap.getPixel(80, 60) ushr 24 > 140)
    }

    private fun made(format: PictureFormat, extras: Extras, pixel: (Int) -> Int): Photo {
        val file = File(folder.newFolder(), "photo.${format.extension}")
        PictureFile().write(file, PictureSpec(40, 30, false, format, 95, extras)) { rows ->
            for (y in 0 until 30) rows.row(IntArray(40) { pixel(y * 40 + it) }, 0)
        }
        return Photo.of(file, file.name)
    }

    private fun upscale(photo: Photo, format: PictureFormat): File {
        val services = app.services
        val target = File(folder.newFolder(), "result.${format.extension}")
        PhotoUpscaler(app, services.runtime, services.models, services.models.usable().first(), EngineRequest(Accelerator.CPU), null).use {
            it.run(photo, target, Output(format = format), CancelToken()) {}
        }
        return target
    }

    /** A TIFF block with one entry. */
    private fun orientation(value: Int): ByteArray = ByteBuffer.allocate(26)
        .put("MM\u0000*".toByteArray()).putInt(8).putShort(1).putShort(0x0112).putShort(3).putInt(1).putShort(value.toShort()).putShort(0).putInt(0).array()
}
