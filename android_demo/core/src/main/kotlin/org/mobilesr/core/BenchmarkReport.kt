// Benchmark results for other programs: logcat line, CSV, JSON.
package org.mobilesr.core

import java.util.Locale

/** Prints [BenchmarkResult]s. */
public object BenchmarkReport {
    private const val SCHEMA = 1

    private val COLUMNS: List<Pair<String, (BenchmarkResult) -> Any?>> = listOf(
        "model" to { it.model },
        "recipe" to { it.recipe },
        "runtime" to { it.runtime },
        "device" to { it.device },
        "wanted_accelerator" to { it.wanted.accelerator.name.lowercase() },
        "accelerator" to { it.ran.accelerator.name.lowercase() },
        "npu_problem" to { it.problemOf(Accelerator.NPU) },
        "gpu_problem" to { it.problemOf(Accelerator.GPU) },
        "gpu_precision" to { r -> r.ran.precision.name.lowercase().takeIf { r.ran.accelerator == Accelerator.GPU } },
        "threads" to { it.ran.threads },
        "init_ms" to { round(it.initMs) },
        "first_ms" to { round(it.warmup.first) },
        "warmup_runs" to { it.warmup.count },
        "warmup_mean_ms" to { round(it.warmup.mean) },
        "runs" to { it.tiles.count },
        "median_ms" to { round(it.tiles.median) },
        "p90_ms" to { round(it.tiles.p90) },
        "min_ms" to { round(it.tiles.least) },
        "max_ms" to { round(it.tiles.largest) },
        "mean_ms" to { round(it.tiles.mean) },
        "std_ms" to { round(it.tiles.deviation) },
        "output_megapixels_per_s" to { round(it.megapixelsPerSecond) },
        "thermal_before" to { it.thermalBefore.name.lowercase() },
        "thermal_after" to { it.thermalAfter.name.lowercase() },
    )

    /** One line as `benchmark_model` prints it, microseconds. */
    public fun logLine(result: BenchmarkResult): String = String.format(
        Locale.ROOT,
        "Inference timings in us: Init: %d, First inference: %d, Warmup (avg): %s, Inference (avg): %s",
        micros(result.initMs),
        micros(result.warmup.first),
        sixDigits(result.warmup.mean),
        sixDigits(result.tiles.mean),
    )

    /** A table with a header line, RFC 4180. */
    public fun csv(results: List<BenchmarkResult>): String {
        val lines = listOf(COLUMNS.map { it.first }) + results.map { r -> COLUMNS.map { (_, value) -> value(r)?.toString().orEmpty() } }
        return lines.joinToString("\r\n", postfix = "\r\n") { line -> line.joinToString(",") { quote(it) } }
    }

    /** An object with `schema` and `results`. */
    public fun json(results: List<BenchmarkResult>): String =
        Json.write(mapOf("schema" to SCHEMA, "results" to results.map { r -> COLUMNS.associate { (name, value) -> name to value(r) } }))

    private fun BenchmarkResult.problemOf(accelerator: Accelerator) = notRun.firstOrNull { it.accelerator == accelerator }?.why

    private fun quote(text: String) = if (text.any { it in ",\"\r\n" }) "\"" + text.replace("\"", "\"\"") + "\"" else text

    private fun round(value: Double): Double = Math.round(value * 1000) / 1000.0

    private fun micros(ms: Double): Long = Math.round(ms * 1000)

    /** C++ streams print six significant digits. */
    private fun sixDigits(ms: Double): String = String.format(Locale.ROOT, "%.6g", ms * 1000).let { text ->
        if ('e' in text || '.' !in text) text else text.trimEnd('0').trimEnd('.')
    }
}
