// Does this engine compute what the model is supposed to compute: one known tile decides.
package org.mobilesr.core

import kotlin.math.abs

/** An input tile and what a trusted engine makes of it, both RGB floats in the model's range. */
public class GoldenTile(public val input: FloatArray, public val expected: FloatArray)

/** What the self-check found; the app has one sentence for each. */
public sealed interface CheckResult {
    /** Good: the largest and the mean difference in steps of 1/255. */
    public data class Passed(val largest: Double, val mean: Double) : CheckResult

    /** The answer holds NaN or infinity. */
    public data object NotFinite : CheckResult

    /** The answer is one single colour although the expected picture is not. */
    public data object Blank : CheckResult

    /** The answer is another picture: the largest and the mean difference in steps of 1/255. */
    public data class Different(val largest: Double, val mean: Double) : CheckResult

    /** The engine failed; [message] is the runtime's. */
    public data class Failed(val message: String) : CheckResult

    /** It was not asked: the last trial of the same program crashed the app or hung. */
    public data class Distrusted(val how: BadTrial) : CheckResult
}

/**
 * Compares an engine with a golden tile.
 *
 * The limits allow for 16-bit arithmetic (a few steps at single pixels) and for the golden PNG's
 * rounding, and not for a wrong picture.
 */
public class SelfCheck(private val range: ValueRange) {
    /** Runs [golden] through [engine]. */
    public fun check(engine: TileEngine, golden: GoldenTile): CheckResult = try {
        compare(engine.run(golden.input), golden.expected)
    } catch (e: EngineException) {
        CheckResult.Failed(e.message.orEmpty())
    }

    /** Compares an [actual] answer with the [expected] one. */
    public fun compare(actual: FloatArray, expected: FloatArray): CheckResult {
        if (actual.size != expected.size) return CheckResult.Failed("${actual.size} values instead of ${expected.size}")
        if (actual.any { !it.isFinite() }) return CheckResult.NotFinite
        if (isFlat(actual) && !isFlat(expected)) return CheckResult.Blank
        val step = (range.high - range.low) / 255.0
        var largest = 0.0
        var sum = 0.0
        for (i in actual.indices) {
            val difference = abs(clip(actual[i]) - clip(expected[i])) / step
            largest = maxOf(largest, difference)
            sum += difference
        }
        val mean = sum / actual.size
        val good = largest <= LARGEST && mean <= MEAN
        return if (good) CheckResult.Passed(largest, mean) else CheckResult.Different(largest, mean)
    }

    private fun clip(value: Float) = value.coerceIn(range.low, range.high).toDouble()

    private fun isFlat(values: FloatArray): Boolean {
        val limit = (range.high - range.low) / 255f
        for (channel in 0 until 3) {
            for (i in channel until values.size step 3) if (abs(values[i] - values[channel]) > limit) return false
        }
        return true
    }

    public companion object {
        /** Largest allowed difference of one value, steps of 1/255. */
        public const val LARGEST: Double = 16.0

        /** Largest allowed mean difference, steps of 1/255. */
        public const val MEAN: Double = 1.5
    }
}
