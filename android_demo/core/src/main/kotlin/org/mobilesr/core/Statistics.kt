// Order statistics of a handful of timings.
package org.mobilesr.core

import kotlin.math.ceil
import kotlin.math.sqrt

/** Summary of timings in milliseconds; percentiles by nearest rank. */
public data class Timings(
    val count: Int,
    val first: Double,
    val least: Double,
    val median: Double,
    val p90: Double,
    val largest: Double,
    val mean: Double,
    val deviation: Double,
) {
    public companion object {
        /** Summarises [milliseconds], in the order in which they were taken; at least one. */
        public fun of(milliseconds: List<Double>): Timings {
            require(milliseconds.isNotEmpty()) { "no timings" }
            val sorted = milliseconds.sorted()
            val mean = sorted.average()
            return Timings(
                count = sorted.size,
                first = milliseconds.first(),
                least = sorted.first(),
                median = median(sorted),
                p90 = sorted[ceil(0.9 * sorted.size).toInt() - 1],
                largest = sorted.last(),
                mean = mean,
                deviation = sqrt(sorted.sumOf { (it - mean) * (it - mean) } / sorted.size),
            )
        }

        private fun median(sorted: List<Double>): Double {
            val middle = sorted.size / 2
            return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
        }
    }
}
