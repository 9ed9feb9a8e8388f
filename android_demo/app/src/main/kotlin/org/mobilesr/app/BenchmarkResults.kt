// Results of the benchmark as cards.
package org.mobilesr.app

import android.content.Context
import android.view.LayoutInflater
import android.view.ViewGroup
import android.widget.TextView
import org.mobilesr.core.BenchmarkResult

/** Shows the newest result first in [target]. */
class BenchmarkResults(private val context: Context, private val target: ViewGroup) {
    private val texts = Texts(context)
    private val inflater = LayoutInflater.from(context)
    private var shown: List<BenchmarkResult> = emptyList()

    /** Shows [results]. */
    fun show(results: List<BenchmarkResult>) {
        if (results == shown) return
        shown = results
        target.removeAllViews()
        for (result in results.reversed()) target.addView(card(result))
    }

    private fun card(result: BenchmarkResult): ViewGroup {
        val card = inflater.inflate(R.layout.benchmark_result, target, false) as ViewGroup
        card.findViewById<TextView>(R.id.heading)!!.text =
            context.getString(R.string.benchmark_heading, result.model, texts.ran(result.ran))
        card.findViewById<TextView>(R.id.fallback)!!.apply {
            text = texts.fallback(result.notRun)
            show(result.notRun.isNotEmpty())
        }
        val table = card.findViewById<ViewGroup>(R.id.table)!!
        for ((name, value) in lines(result)) {
            val line = inflater.inflate(R.layout.benchmark_line, table, false)
            line.findViewById<TextView>(R.id.name)!!.setText(name)
            line.findViewById<TextView>(R.id.value)!!.text = value
            table.addView(line)
        }
        return card
    }

    private fun lines(result: BenchmarkResult): List<Pair<Int, String>> = listOf(
        R.string.benchmark_median to ms(result.tiles.median),
        R.string.benchmark_p90 to ms(result.tiles.p90),
        R.string.benchmark_throughput to context.getString(R.string.value_mpix, texts.number(result.megapixelsPerSecond)),
        R.string.benchmark_first to ms(result.warmup.first),
        R.string.benchmark_init to ms(result.initMs),
        R.string.benchmark_thermal to context.getString(R.string.value_thermal, texts.thermal(result.thermalBefore), texts.thermal(result.thermalAfter)),
        R.string.benchmark_runtime to result.runtime,
    )

    private fun ms(value: Double): String = context.getString(R.string.value_ms, texts.number(value))
}
