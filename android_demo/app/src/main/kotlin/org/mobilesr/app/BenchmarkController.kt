// The benchmark's work and its results; like the upscaling it outlives the screen.
package org.mobilesr.app

import android.content.Context
import android.net.Uri
import android.os.Build
import android.util.Log
import org.mobilesr.ModelEntry
import org.mobilesr.core.BenchmarkPlan
import org.mobilesr.core.BenchmarkReport
import org.mobilesr.core.BenchmarkResult
import org.mobilesr.core.BenchmarkRunner
import org.mobilesr.core.CancelToken
import org.mobilesr.core.Progress
import org.mobilesr.thermalOf
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.util.concurrent.CancellationException

/** What the benchmark screen shows; [running] is null between measurements. */
data class BenchmarkState(val results: List<BenchmarkResult>, val running: Progress?, val failure: Failure?)

/** Measures on the engine thread, one measurement after the other. */
class BenchmarkController(private val context: Context, private val services: Services) {
    /** What the screen shows. */
    val state = StateHolder(BenchmarkState(emptyList(), null, null))

    private class Job(val entry: ModelEntry, val plan: BenchmarkPlan) {
        val cancel = CancelToken()

        @Volatile
        var running = false
    }

    @Volatile
    private var job: Job? = null

    /** Measures [entry], unless a measurement is under way. */
    fun start(entry: ModelEntry, plan: BenchmarkPlan) {
        if (state.value.running == null && entry.model != null) submit(Job(entry, plan))
    }

    /** Stops after the tile that is being computed. */
    fun cancel() {
        job?.cancel?.cancel()
    }

    /** The GPU does not answer: the same measurement on a fresh thread, where it is no longer trusted. */
    fun onGpuHung() {
        val hung = job?.takeIf { it.running } ?: return
        hung.cancel.cancel()
        submit(Job(hung.entry, hung.plan))
    }

    /** Writes the results to [uri] beside the main thread; [then] is told on it, with null for success. */
    fun export(uri: Uri, text: (List<BenchmarkResult>) -> String, then: (Failure?) -> Unit) {
        val results = state.value.results
        services.ioThread.post {
            val failure = try {
                if (results.isEmpty()) throw IOException(context.getString(R.string.benchmark_nothing)) // the process was ended meanwhile
                val out = context.contentResolver.openOutputStream(uri) ?: throw FileNotFoundException(uri.toString())
                out.use { it.write(text(results).toByteArray()) }
                null
            } catch (e: Exception) {
                Failure.of(e) // a provider may throw anything
            }
            context.mainExecutor.execute { then(failure) }
        }
    }

    private fun submit(mine: Job) {
        job = mine
        val results = state.value.results
        fun publish(new: BenchmarkState) {
            if (job === mine) state.value = new
        }
        publish(BenchmarkState(results, Progress(0, mine.plan.warmup + mine.plan.runs, null), null))
        services.engineThread.post {
            mine.running = true
            try {
                mine.cancel.check()
                val result = measure(mine) { publish(BenchmarkState(results, it, null)) }
                Log.i(TAG, BenchmarkReport.logLine(result))
                keep(results + result)
                publish(BenchmarkState(results + result, null, null))
            } catch (_: CancellationException) {
                publish(BenchmarkState(results, null, null))
            } catch (e: Throwable) {
                Log.w(TAG, e)
                publish(BenchmarkState(results, null, Failure.of(e)))
            }
            mine.running = false
        }
    }

    private fun measure(mine: Job, progress: (Progress) -> Unit): BenchmarkResult =
        BenchmarkRunner(services.runtime, device(), services.gpuTrial, { thermalOf(context) })
            .run(checkNotNull(mine.entry.model), services.models.golden(mine.entry), mine.plan, mine.cancel, progress)

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

    companion object {
        /** The tag of `benchmark_model`, so that the same `adb logcat -s tflite` and the same parser work. */
        const val TAG = "tflite"
    }
}
