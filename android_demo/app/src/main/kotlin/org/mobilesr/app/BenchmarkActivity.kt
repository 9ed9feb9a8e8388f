// The benchmark screen; also started by adb.
package org.mobilesr.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.os.Bundle
import android.util.Log
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import org.mobilesr.ModelEntry
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BenchmarkPlan
import org.mobilesr.core.BenchmarkReport
import org.mobilesr.core.CpuThreads
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.Precision

/**
 * Measures one model at a time.
 *
 * `adb shell am start -n org.mobilesr.app/.BenchmarkActivity --ez auto true [--es model NAME]
 * [--es accelerator gpu|cpu] [--es precision fp16|fp32] [--ei threads N] [--ei warmup N] [--ei runs N]`
 * starts at once and prints one line to the log.
 */
class BenchmarkActivity : Activity() {
    private lateinit var models: Choices<ModelEntry>
    private lateinit var accelerators: Choices<Accelerator>
    private lateinit var precisions: Choices<Precision>
    private lateinit var threads: Choices<Int>
    private lateinit var runs: Choices<Int>
    private val results by lazy { BenchmarkResults(this, findViewById(R.id.results)!!) }
    private val watcher: (BenchmarkState) -> Unit = { show(it) }
    private var modelsKnown = false
    private var note: String? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_benchmark)
        edgeToEdge(findViewById(R.id.root)!!)
        findViewById<TextView>(R.id.title)!!.setText(R.string.benchmark_title)
        findViewById<View>(R.id.back)!!.setOnClickListener { finish() }
        findViewById<View>(R.id.export_csv)!!.setOnClickListener { export(CSV, "benchmark.csv", "text/csv") }
        findViewById<View>(R.id.export_json)!!.setOnClickListener { export(JSON, "benchmark.json", "application/json") }
        offerChoices()
        onFileThread({ it.models.all().filter { entry -> entry.model != null } }) { usable ->
            models.offer(usable, usable.firstOrNull { it.id == services.settings.modelId } ?: usable.firstOrNull())
            modelsKnown = true
            show(services.benchmark.state.value)
            if (savedInstanceState == null) auto(intent)
        }
    }

    override fun onStart() {
        super.onStart()
        services.benchmark.state.watch(watcher)
    }

    override fun onStop() {
        services.benchmark.state.unwatch(watcher)
        super.onStop()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        auto(intent)
    }

    @Deprecated("The replacement is in androidx")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode != RESULT_OK || uri == null) return
        services.benchmark.export(uri, if (requestCode == CSV) BenchmarkReport::csv else BenchmarkReport::json) { failure ->
            note = if (failure == null) getString(R.string.exported) else getString(R.string.save_failed, Texts(this).failure(failure))
            if (!isDestroyed) warn(services.benchmark.state.value)
        }
    }

    private fun offerChoices() {
        models = Choices(findViewById(R.id.model)!!) { entry -> labelOf(entry) }
        accelerators = Choices(findViewById(R.id.accelerator)!!) { Texts(this).accelerator(it) }
        precisions = Choices(findViewById(R.id.precision)!!) { getString(if (it == Precision.FP16) R.string.precision_fp16 else R.string.precision_fp32) }
        threads = Choices(findViewById(R.id.threads)!!) { if (it == 0) getString(R.string.threads_auto) else it.toString() }
        runs = Choices(findViewById(R.id.runs)!!) { it.toString() }
        accelerators.offer(Accelerator.entries.filter { it in services.runtime.accelerators }, services.settings.accelerator)
        precisions.offer(Precision.entries, Precision.FP16)
        threads.offer(THREADS, 0)
        runs.offer(RUNS, BenchmarkPlan(EngineRequest(Accelerator.CPU)).runs)
    }

    /** The tile is what tells two files of one network apart. */
    private fun labelOf(entry: ModelEntry): String =
        entry.model!!.shape.let { getString(R.string.benchmark_model, entry.card.name, it.tileWidth, it.tileHeight) }

    private fun measure() {
        val entry = models.chosen ?: return
        val request = EngineRequest(accelerators.chosen!!, precisions.chosen!!, threadsOf(threads.chosen!!))
        services.benchmark.start(entry, BenchmarkPlan(request, runs = runs.chosen!!))
    }

    /** What adb asked for; settings that make no sense are those of the screen instead. */
    private fun auto(intent: Intent) {
        if (!intent.getBooleanExtra("auto", false) || intent.flags and Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY != 0) return
        val name = intent.getStringExtra("model")
        val entry = if (name == null) models.chosen else models.values.firstOrNull { it.card.name == name || labelOf(it) == name }
        if (entry == null) {
            note = if (name == null) getString(R.string.no_models) else getString(R.string.benchmark_unknown_model, name)
            Log.e(BenchmarkController.TAG, "$note")
            warn(services.benchmark.state.value)
            return
        }
        val request = EngineRequest(
            accelerator = Accelerator.entries.firstOrNull { it.name.lowercase() == intent.getStringExtra("accelerator") } ?: Accelerator.GPU,
            precision = if (intent.getStringExtra("precision") == "fp32") Precision.FP32 else Precision.FP16,
            threads = threadsOf(intent.getIntExtra("threads", 0).coerceIn(0, MOST_THREADS)),
        )
        val standard = BenchmarkPlan(request)
        val warmup = intent.getIntExtra("warmup", standard.warmup).coerceIn(1, BenchmarkPlan.MOST)
        services.benchmark.start(entry, standard.copy(warmup = warmup, runs = intent.getIntExtra("runs", standard.runs).coerceIn(1, BenchmarkPlan.MOST)))
    }

    private fun show(state: BenchmarkState) {
        val running = state.running
        val start = findViewById<Button>(R.id.start)!!
        start.setText(if (running == null) R.string.benchmark_start else R.string.cancel)
        start.setOnClickListener { if (running == null) measure() else services.benchmark.cancel() }
        start.isEnabled = models.chosen != null
        for (choices in listOf(models, accelerators, precisions, threads, runs)) choices.enable(running == null)
        findViewById<ProgressBar>(R.id.progress)!!.apply {
            show(running != null)
            isIndeterminate = running?.done == 0
            max = running?.total ?: 1
            progress = running?.done ?: 0
        }
        findViewById<TextView>(R.id.status)!!.apply {
            show(running != null)
            text = when {
                running == null -> ""
                running.done == 0 -> getString(R.string.phase_preparing)
                else -> getString(R.string.benchmark_progress, running.done, running.total)
            }
        }
        warn(state)
        results.show(state.results)
        findViewById<View>(R.id.exports)!!.show(state.results.isNotEmpty() && running == null)
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (running == null) window.clearFlags(flag) else window.addFlags(flag)
    }

    private fun warn(state: BenchmarkState) {
        val failure = state.failure?.let { getString(R.string.benchmark_failed, Texts(this).failure(it)) }
        val text = note ?: failure ?: if (modelsKnown && models.chosen == null) getString(R.string.no_models) else null
        findViewById<TextView>(R.id.warning)!!.apply {
            show(text != null)
            this.text = text
        }
    }

    private fun export(code: Int, name: String, type: String) {
        val intent = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(type).putExtra(Intent.EXTRA_TITLE, name)
        try {
            startActivityForResult(intent, code)
        } catch (_: ActivityNotFoundException) {
            note = getString(R.string.no_picker)
            warn(services.benchmark.state.value)
        }
    }

    /** Automatic is what photos are upscaled with, so that the number that is shown is the number that ran. */
    private fun threadsOf(chosen: Int) = if (chosen == 0) CpuThreads.choose() else chosen

    private companion object {
        const val CSV = 1
        const val JSON = 2
        const val MOST_THREADS = 16
        val THREADS = listOf(0, 1, 2, 4)
        val RUNS = listOf(10, 30, 100, 500)
    }
}
