package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class OrientationTest {
    /** Stored corners, as the EXIF standard names them: where does the stored first row, first column lie. */
    private val stored = ArrayImage(3, 2, intArrayOf(1, 2, 3, 4, 5, 6), hasAlpha = false)
    private val upright = mapOf(
        1 to listOf(listOf(1, 2, 3), listOf(4, 5, 6)),
        2 to listOf(listOf(3, 2, 1), listOf(6, 5, 4)),
        3 to listOf(listOf(6, 5, 4), listOf(3, 2, 1)),
        4 to listOf(listOf(4, 5, 6), listOf(1, 2, 3)),
        5 to listOf(listOf(1, 4), listOf(2, 5), listOf(3, 6)),
        6 to listOf(listOf(4, 1), listOf(5, 2), listOf(6, 3)),
        7 to listOf(listOf(6, 3), listOf(5, 2), listOf(4, 1)),
        8 to listOf(listOf(3, 6), listOf(2, 5), listOf(1, 4)),
    )

    @Test
    fun `all eight orientations`() {
        for ((exif, rows) in upright) {
            val source = OrientedSource(stored, Orientation.ofExif(exif))
            assertEquals("width at $exif", rows[0].size, source.width)
            assertEquals("height at $exif", rows.size, source.height)
            assertArrayEquals("pixels at $exif", rows.flatten().toIntArray(), whole(source))
        }
    }

    @Test
    fun `rectangles are cut out of the upright picture`() {
        val photo = noise(29, 17)
        for (orientation in Orientation.entries) {
            val source = OrientedSource(photo, orientation)
            val all = whole(source)
            val part = IntArray(5 * 7)
            source.read(3, 2, 5, 7, part)
            val expected = IntArray(35) { all[(2 + it / 5) * source.width + 3 + it % 5] }
            assertArrayEquals(orientation.name, expected, part)
        }
    }

    @Test
    fun `an undefined value is upright`() {
        for (value in listOf(0, -1, 9)) assertEquals(Orientation.NORMAL, Orientation.ofExif(value))
    }

    private fun whole(source: PixelSource) = IntArray(source.width * source.height).also { source.read(0, 0, source.width, source.height, it) }
}
