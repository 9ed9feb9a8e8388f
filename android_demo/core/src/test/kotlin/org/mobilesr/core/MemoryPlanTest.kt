package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.util.concurrent.TimeUnit

class MemoryPlanTest {
    private val shape = shapeOf(tile = 64, scale = 4)

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
        assertTrue("took too long", process.waitFor(120, TimeUnit.SECONDS))
        assertEquals(0, process.exitValue())
    }

    private fun choose(width: Int, height: Int, heap: Long, device: Long, regions: Boolean = true) =
        MemoryPlan.choose(width, height, shape, heap shl 20, device shl 20, regions)
}
