// Timing a model tile by tile, warm-up apart.
package org.mobilesr.core

/**
 * What to measure.
 *
 * @property warmup tiles that are run and not counted
 * @property runs tiles that are counted
 */
public data class BenchmarkPlan(val request: EngineRequest, val warmup: Int = 5, val runs: Int = 30) {
    init {
        require(warmup in 1..MOST && runs in 1..MOST) { "1 to $MOST warm-ups and runs, not $warmup and $runs" }
    }

    public companion object {
        /** Enough for half an hour of the fastest model, and far from any overflow. */
        public const val MOST: Int = 10_000
    }
}

/** The phone's own report of how hot it is; UNKNOWN before Android 10. */
public enum class Thermal { UNKNOWN, NONE, LIGHT, MODERATE, SEVERE, CRITICAL, EMERGENCY, SHUTDOWN }

/**
 * What was measured; all times in milliseconds.
 *
 * @property ran what really ran, which is [wanted] unless that failed: [notRun]
 * @property initMs loading, compiling and self-check
 * @property megapixelsPerSecond of output, kept pixels only, at the median
 */
public data class BenchmarkResult(
    val model: String,
    val recipe: String?,
    val runtime: String,
    val wanted: EngineRequest,
    val ran: EngineRequest,
    val notRun: List<NotRun>,
    val initMs: Double,
    val warmup: Timings,
    val tiles: Timings,
    val megapixelsPerSecond: Double,
    val thermalBefore: Thermal,
    val thermalAfter: Thermal,
    val device: String,
)

/** Runs a [BenchmarkPlan]. Call on the [EngineThread]. */
public class BenchmarkRunner(
    private val factory: EngineFactory,
    private val device: String,
    private val trial: GpuTrial? = null,
    private val thermal: () -> Thermal = { Thermal.UNKNOWN },
    private val nowNanos: () -> Long = System::nanoTime,
) {
    /**
     * Measures [model].
     *
     * @param golden tile of the self-check, null if the model has none
     * @param progress is told after each tile, warm-up included
     * @throws java.util.concurrent.CancellationException once [cancel] is set
     */
    public fun run(
        model: LoadedModel,
        golden: GoldenTile?,
        plan: BenchmarkPlan,
        cancel: CancelToken = CancelToken(),
        progress: (Progress) -> Unit = {},
    ): BenchmarkResult {
        val before = thermal()
        val start = nowNanos()
        val selection = EngineSelector(factory, model, trial).select(plan.request, golden)
        val initMs = (nowNanos() - start) * NANOS_TO_MS
        return selection.engine.use { engine ->
            val input = SyntheticTile.make(model.shape, model.card.range)
            val meter = ProgressMeter(plan.warmup + plan.runs, nowNanos)
            fun time(count: Int) = Timings.of(
                List(count) {
                    cancel.check()
                    val from = nowNanos()
                    engine.run(input)
                    ((nowNanos() - from) * NANOS_TO_MS).also { progress(meter.tick()) }
                },
            )
            val warmup = time(plan.warmup)
            val tiles = time(plan.runs)
            BenchmarkResult(
                model = model.card.name,
                recipe = model.card.recipe,
                runtime = factory.runtime,
                wanted = plan.request,
                ran = selection.runs,
                notRun = selection.notRun,
                initMs = initMs,
                warmup = warmup,
                tiles = tiles,
                megapixelsPerSecond = keptMegapixels(model) / (tiles.median / 1000),
                thermalBefore = before,
                thermalAfter = thermal(),
                device = device,
            )
        }
    }

    /** Output pixels that one tile inside a large picture contributes. */
    private fun keptMegapixels(model: LoadedModel): Double {
        val scale = model.shape.scale.toDouble()
        return (model.shape.tileWidth - 2 * model.halo) * (model.shape.tileHeight - 2 * model.halo) * scale * scale / 1e6
    }

    private companion object {
        const val NANOS_TO_MS = 1e-6
    }
}
