package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class StripCacheTest {
    private val photo = noise(53, 47)
    private var reads = 0
    private val counting = object : PixelSource by photo {
        override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
            reads++
            photo.read(x, y, width, height, into)
        }
    }

    @Test
    fun `the picture stays the same and is decoded once for each band of windows`() {
        val shape = shapeOf(tile = 16, scale = 2)
        for (orientation in listOf(Orientation.NORMAL, Orientation.ROTATED_90)) {
            val direct = OrientedSource(photo, orientation)
            val cached = OrientedSource(StripCache(counting, orientation.transposed), orientation)
            reads = 0
            val expected = upscale(direct, NearestEngine(shape), shape, 4)
            assertArrayEquals(expected.pixels, upscale(cached, NearestEngine(shape), shape, 4).pixels)
            assertEquals(TilePlan.spans(direct.height, 16, 4).size, reads)
        }
    }
}
