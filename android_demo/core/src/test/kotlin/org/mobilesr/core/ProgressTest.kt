package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class ProgressTest {
    @Test
    fun `the time left follows the median tile`() {
        var clock = 0L
        val meter = ProgressMeter(10) { clock }
        fun tick(ms: Long): Progress {
            clock += ms * 1_000_000
            return meter.tick()
        }
        assertNull("too early to tell", tick(5000).secondsLeft)
        tick(100)
        assertEquals(0.7, tick(100).secondsLeft!!, 1e-9)
    }

    @Test
    fun `fraction of nothing is nothing`() = assertEquals(0f, Progress(0, 0, null).fraction, 0f)
}
