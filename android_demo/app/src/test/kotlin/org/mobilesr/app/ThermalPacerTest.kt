package org.mobilesr.app

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.mobilesr.ThermalPacer
import org.mobilesr.core.CancelToken
import org.mobilesr.core.Thermal
import java.util.concurrent.CancellationException

class ThermalPacerTest {
    private var now = 0L
    private val told = ArrayList<Boolean>()
    private val states = ArrayDeque<Thermal>()
    private var asked = 0
    private val pacer = ThermalPacer({ asked++; states.removeFirst() }, everyMs = 1000, nowMs = { now }, sleep = { now += it }) { told += it }

    @Test
    fun `severe heat pauses until it is moderate again`() {
        states += listOf(Thermal.SEVERE, Thermal.SEVERE, Thermal.CRITICAL, Thermal.MODERATE)
        pacer.pace(CancelToken())
        assertEquals(listOf(true, false), told)
        assertEquals(0, states.size)
    }

    @Test
    fun `moderate heat and unknown do not, and the system is not asked at every tile`() {
        states += listOf(Thermal.MODERATE, Thermal.UNKNOWN)
        repeat(20) {
            pacer.pace(CancelToken())
            now += 100
        }
        assertEquals(2, asked)
        assertEquals(emptyList<Boolean>(), told)
    }

    @Test
    fun `cancel ends the pause`() {
        states += List(9) { Thermal.EMERGENCY }
        val cancel = CancelToken().apply { cancel() }
        assertThrows(CancellationException::class.java) { pacer.pace(cancel) }
        assertEquals(listOf(true, false), told)
    }
}
