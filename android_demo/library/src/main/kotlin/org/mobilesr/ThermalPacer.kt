// Lets a hot phone cool down between two tiles, before Android slows it down or ends the app.
package org.mobilesr

import android.content.Context
import android.os.Build
import android.os.PowerManager
import org.mobilesr.core.CancelToken
import org.mobilesr.core.Pacer
import org.mobilesr.core.Thermal

/** The phone's own report of how hot it is. */
public fun thermalOf(context: Context): Thermal {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return Thermal.UNKNOWN
    return when (context.getSystemService(PowerManager::class.java)!!.currentThermalStatus) {
        PowerManager.THERMAL_STATUS_NONE -> Thermal.NONE
        PowerManager.THERMAL_STATUS_LIGHT -> Thermal.LIGHT
        PowerManager.THERMAL_STATUS_MODERATE -> Thermal.MODERATE
        PowerManager.THERMAL_STATUS_SEVERE -> Thermal.SEVERE
        PowerManager.THERMAL_STATUS_CRITICAL -> Thermal.CRITICAL
        PowerManager.THERMAL_STATUS_EMERGENCY -> Thermal.EMERGENCY
        PowerManager.THERMAL_STATUS_SHUTDOWN -> Thermal.SHUTDOWN
        else -> Thermal.UNKNOWN
    }
}

/**
 * Pauses from severe throttling on, until it is moderate again.
 *
 * @param thermal asked before every tile: a call into the system, so at most every [everyMs] milliseconds
 * @param onPause told when a pause begins (true) and ends
 */
public class ThermalPacer(
    private val thermal: () -> Thermal,
    private val everyMs: Long = 2000,
    private val nowMs: () -> Long = { System.nanoTime() / 1_000_000 },
    private val sleep: (Long) -> Unit = Thread::sleep,
    private val onPause: (Boolean) -> Unit,
) : Pacer {
    private var asked = Long.MIN_VALUE / 2

    override fun pace(cancel: CancelToken) {
        if (nowMs() - asked < everyMs) return
        asked = nowMs()
        if (thermal() < Thermal.SEVERE) return
        onPause(true)
        try {
            do {
                cancel.check()
                sleep(STEP_MS)
            } while (thermal() > Thermal.MODERATE)
        } finally {
            onPause(false)
        }
    }

    private companion object {
        const val STEP_MS = 250L
    }
}
