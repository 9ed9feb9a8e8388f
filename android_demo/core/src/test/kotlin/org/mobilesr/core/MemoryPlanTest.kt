package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class MemoryPlanTest {
    private val model = modelOf(tile = 64, scale = 4, halo = 8)

    @Test
    fun `50 megapixels are read by regions on a small device and as a whole on a large one`() {
        assertEquals(Reading.REGIONS, choose(8660, 5774, heap = 256, device = 300).reading)
        assertEquals(Reading.WHOLE, choose(8660, 5774, heap = 256, device = 2000).reading)
    }

    @Test
    fun `a small picture is always read as a whole`() = assertEquals(Reading.WHOLE, choose(640, 480, heap = 64, device = 200).reading)

    @Test
    fun `refused before the work starts, with numbers`() {
        val error = assertThrows(NotEnoughMemoryException::class.java) { choose(8660, 5774, heap = 32, device = 300) }
        assertTrue(error.needed > error.available)
        assertThrows(NotEnoughMemoryException::class.java) { choose(8660, 5774, heap = 256, device = 300, regions = false) }
    }

    @Test
    fun `50 megapixels pass through a heap of 96 megabytes`() {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val classpath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val process = ProcessBuilder(java, "-Xmx96m", "-XX:+UseSerialGC", "-cp", classpath, "org.mobilesr.core.FiftyMegapixelsKt").inheritIO().start()
        assertEquals(0, process.waitFor())
    }

    private fun choose(width: Int, height: Int, heap: Long, device: Long, regions: Boolean = true) =
        MemoryPlan.choose(width, height, model, FreeMemory(heap shl 20, device shl 20), regions)

    @Test
    fun `of two tiles the larger is taken where it fits, the smaller where it does not`() {
        val variants = listOf(modelOf(tile = 96, scale = 4, halo = 24), modelOf(tile = 256, scale = 4, halo = 24))
        fun tile(heap: Long, width: Int = 4000, height: Int = 3000) =
            MemoryPlan.fastest(variants, width, height, FreeMemory(heap shl 20, 2000L shl 20)).shape.tileWidth
        assertEquals(256, tile(heap = 512))
        assertEquals(96, tile(heap = 96))
        assertEquals("nothing fits: the message will be the smaller one's", 96, tile(heap = 1))
        assertEquals("a thumbnail would leave most of a large tile empty", 96, tile(heap = 512, width = 90, height = 70))
    }

    @Test
    fun `a tile whose halo is cut is taken only if no other fits`() {
        val variants = listOf(modelOf(tile = 64, scale = 2, halo = 24), modelOf(tile = 128, scale = 2, halo = 24))
        assertEquals(128, MemoryPlan.fastest(variants, 60, 60, FreeMemory(512L shl 20, 2000L shl 20)).shape.tileWidth)
        assertEquals(16, variants.first().halo)
    }
}
