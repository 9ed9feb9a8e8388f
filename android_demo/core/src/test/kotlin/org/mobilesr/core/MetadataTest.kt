package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.awt.color.ColorSpace
import java.awt.color.ICC_ColorSpace
import java.awt.color.ICC_Profile
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import javax.imageio.ImageIO

/** What goes over from the photo's file into the result's. */
class MetadataTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `the date stays, the orientation is undone, the size is the result's, the thumbnail goes`() {
        for (order in listOf(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            val kept = Exif.forResult(tiff(order), 400, 300, Keep.ALL)!!
            assertEquals(1, value(kept, order, 0x0112))
            assertTrue(text(kept), "2026:05:01 12:30:00" in text(kept))
            assertEquals(listOf(400, 300), listOf(0xA002, 0xA003).map { value(kept, order, it) })
            assertFalse("thumbnail", "THUMB" in text(kept))
            assertTrue("the place, if it is wanted", "48deg" in text(kept))
        }
    }

    @Test
    fun `the place is really gone, not only unlinked`() {
        for (order in listOf(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            val kept = Exif.forResult(tiff(order), 400, 300, Keep.WITHOUT_LOCATION)!!
            assertFalse("48deg" in text(kept))
            assertNull(value(kept, order, 0x8825))
            assertTrue("2026:05:01" in text(kept))
        }
        assertNull(Exif.forResult(tiff(ByteOrder.BIG_ENDIAN), 1, 1, Keep.NONE))
    }

    @Test
    fun `damaged blocks are dropped, never a crash`() {
        val whole = tiff(ByteOrder.BIG_ENDIAN)
        for (length in whole.indices) Exif.forResult(whole.copyOf(length), 1, 1, Keep.WITHOUT_LOCATION)
        for (at in whole.indices) Exif.forResult(whole.copyOf().also { it[at] = -1 }, 1, 1, Keep.WITHOUT_LOCATION)
        assertNull(Exif.forResult(ByteArray(0), 1, 1, Keep.ALL))
    }

    @Test
    fun `found again in what we write, as JPEG and as PNG`() {
        val exif = tiff(ByteOrder.BIG_ENDIAN)
        for (format in listOf(PictureFormat.JPEG, PictureFormat.PNG)) {
            val file = write(format, Extras(exif = exif))
            assertArrayEquals("$format", exif, Exif.read(file))
            assertEquals(20, ImageIO.read(file).width)
        }
        assertNull(Exif.read(write(PictureFormat.PNG, Extras())))
        assertNull(Exif.read(folder.newFile().apply { writeText("short") }))
    }

    @Test
    fun `the profile of Display P3 is one, and pure P3 green is outside of sRGB`() {
        val profile = ICC_Profile.getInstance(Icc.displayP3)
        val green = ICC_ColorSpace(profile).toCIEXYZ(floatArrayOf(0f, 1f, 0f))
        assertEquals(0.692f, green[1], 0.003f)
        val white = ICC_ColorSpace(profile).toRGB(floatArrayOf(1f, 1f, 1f))
        assertTrue(white.toList().toString(), white.all { it > 0.995f })
        val grey = ICC_ColorSpace(profile).toRGB(floatArrayOf(0.5f, 0.5f, 0.5f))
        assertTrue("the same curve: ${grey.toList()}", grey.all { Math.abs(it - 0.5f) < 0.01f })
        val asJava = ColorSpace.getInstance(ColorSpace.CS_sRGB).fromCIEXYZ(green)
        assertEquals("clipped to nothing", 0f, asJava[0], 0.02f)
    }

    @Test
    fun `a wide picture carries its profile in both formats`() {
        for (format in listOf(PictureFormat.JPEG, PictureFormat.PNG)) {
            val file = write(format, Extras(color = ColorSpaceTag.DISPLAY_P3))
            val bytes = file.readBytes().toString(Charsets.ISO_8859_1)
            assertTrue("$format", if (format == PictureFormat.JPEG) "ICC_PROFILE" in bytes else "iCCP" in bytes && "sRGB" !in bytes)
            val read = ImageIO.read(file)
            assertEquals(20, read.width)
        }
    }

    @Test
    fun `an Ultra HDR picture keeps its gain map byte for byte, and points to it`() {
        val bare = write(PictureFormat.JPEG, Extras()).readBytes()
        val xmp = """<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" hdrgm:GainMapMax="2.3"/>"""
        val second = UltraHdr.second(bare, xmp)
        val photo = write(PictureFormat.JPEG, Extras(gainMap = second))
        val found = GainMap.read(photo)!!
        assertArrayEquals(second, found.jpeg)
        assertEquals(xmp, found.xmp)
        assertEquals(20, ImageIO.read(photo).width)
        val bytes = photo.readBytes()
        val mpf = bytes.toString(Charsets.ISO_8859_1).indexOf("MPF\u0000") + 4
        val entries = ByteBuffer.wrap(bytes, mpf + 50, 32).slice()
        assertEquals("the first picture's length", bytes.size - second.size, entries.getInt(4))
        assertEquals(second.size, entries.getInt(16 + 4))
        assertEquals("the second begins there", bytes.size - second.size, mpf + entries.getInt(16 + 8))
        assertNull(GainMap.read(write(PictureFormat.JPEG, Extras())))
        assertNull(GainMap.read(folder.newFile().apply { writeBytes(bytes.copyOf(bytes.size / 2)) }))
    }

    private fun write(format: PictureFormat, extras: Extras): File {
        val file = File(folder.newFolder(), "picture")
        val photo = noise(20, 10)
        return PictureFile().write(file, PictureSpec(20, 10, false, format, 90, extras)) { rows -> for (y in 0 until 10) rows.row(photo.pixels, y * 20) }
    }

    private fun text(bytes: ByteArray) = bytes.toString(Charsets.ISO_8859_1)

    /** The value of a tag, wherever it stands; null if no table has it. */
    private fun value(tiff: ByteArray, order: ByteOrder, tag: Int): Int? {
        val data = ByteBuffer.wrap(tiff).order(order)
        for (table in listOf(8, TABLE_2)) {
            for (i in 0 until data.getShort(table)) {
                val entry = table + 2 + 12 * i
                if (data.getShort(entry).toInt() and 0xFFFF == tag) return if (data.getShort(entry + 2).toInt() == 3) data.getShort(entry + 8).toInt() else data.getInt(entry + 8)
            }
        }
        return null
    }

    /** Three entries and a thumbnail, a table of the photo, a table of the place. */
    private fun tiff(order: ByteOrder): ByteArray {
        val data = ByteBuffer.allocate(400).order(order)
        fun entry(tag: Int, type: Int, count: Int, value: Int) {
            data.putShort(tag.toShort()).putShort(type.toShort()).putInt(count)
            if (type == 3) data.putShort(value.toShort()).putShort(0) else data.putInt(value)
        }
        data.put((if (order == ByteOrder.BIG_ENDIAN) "MM" else "II").toByteArray()).putShort(42).putInt(8)
        data.position(8)
        data.putShort(3)
        entry(0x0112, 3, 1, 6)
        entry(0x8769, 4, 1, TABLE_2)
        entry(0x8825, 4, 1, 200)
        data.putInt(260)
        data.position(TABLE_2)
        data.putShort(3)
        entry(0x9003, 2, 20, 160)
        entry(0xA002, 4, 1, 100)
        entry(0xA003, 3, 1, 75)
        data.position(160)
        data.put("2026:05:01 12:30:00\u0000".toByteArray())
        data.position(200)
        data.putShort(1)
        entry(0x0002, 2, 20, 230)
        data.position(230)
        data.put("48deg 8min north    ".toByteArray())
        data.position(260)
        data.putShort(2)
        entry(0x0201, 4, 1, 320)
        entry(0x0202, 4, 1, 5)
        data.position(320)
        data.put("THUMB".toByteArray())
        return data.array()
    }

    private companion object {
        const val TABLE_2 = 80
    }
}
