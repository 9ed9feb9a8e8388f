// The benchmark's work and its results; like the upscaling it outlives the screen.
package org.mobilesr.app

import android.content.Context
import android.os.Build
import android.os.PowerManager
import android.util.Log
import org.mobilesr.core.BenchmarkPlan
import org.mobilesr.core.BenchmarkReport
import org.mobilesr.core.BenchmarkResult
import org.mobilesr.core.BenchmarkRunner
import org.mobilesr.core.CancelToken
import org.mobilesr.core.Progress
import org.mobilesr.core.Thermal
import java.io.File
import java.io.IOException
import java.util.concurrent.CancellationException

/** What the benchmark screen shows; [running] is null between measurements. */
data class BenchmarkState(val results: List<BenchmarkResult>, val running: Progress?, val failure: Failure?)

/** Measures on the engine thread, one measurement after the other. */
class BenchmarkController(private val context: Context, private val services: Services) {
    /** What the screen shows. */
    val state = StateHolder(BenchmarkState(emptyList(), null, null))

    private var cancel = CancelToken()

    /** Measures [entry], unless a measurement is under way. */
    fun start(entry: ModelEntry, plan: BenchmarkPlan) {
        val model = entry.model
        if (state.value.running != null || model == null) return
        val results = state.value.results
        cancel = CancelToken()
        state.value = BenchmarkState(results, Progress(0, plan.warmup + plan.runs, null), null)
        services.engineThread.submit {
            state.value = try {
                val runner = BenchmarkRunner(services.runtime, device(), ::thermal)
                val result = runner.run(model, services.models.golden(entry), plan, cancel) {
                    state.value = BenchmarkState(results, it, null)
                }
                Log.i(TAG, BenchmarkReport.logLine(result))
                BenchmarkState(results + result, null, null).also { keep(it.results) }
            } catch (_: CancellationException) {
                BenchmarkState(results, null, null)
            } catch (e: Exception) {
                BenchmarkState(results, null, Failure.of(e).also { if (it == null) crash(e) })
            }
        }
    }

    /** Stops after the tile that is being computed. */
    fun cancel() = cancel.cancel()

    /** The files of the results so far, where `adb pull` finds them. */
    private fun keep(results: List<BenchmarkResult>) {
        val folder = context.getExternalFilesDir(null) ?: return
        try {
            File(folder, "benchmark.csv").writeText(BenchmarkReport.csv(results))
            File(folder, "benchmark.json").writeText(BenchmarkReport.json(results))
        } catch (e: IOException) {
            Log.w(TAG, "results not kept: ${e.message}")
        }
    }

    private fun device() = "${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE}"

    private fun thermal(): Thermal {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return Thermal.UNKNOWN
        return when (context.getSystemService(PowerManager::class.java).currentThermalStatus) {
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

    companion object {
        /** The tag of `benchmark_model`, so that the same `adb logcat -s tflite` and the same parser work. */
        const val TAG = "tflite"
    }
}
