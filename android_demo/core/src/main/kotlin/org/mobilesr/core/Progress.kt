// How far the work is and how long it will still take.
package org.mobilesr.core

/**
 * @property done finished tiles
 * @property total tiles of the picture
 * @property secondsLeft null until it can be judged
 */
public data class Progress(val done: Int, val total: Int, val secondsLeft: Double?) {
    val fraction: Float get() = if (total == 0) 0f else done.toFloat() / total
}

/** Judges the time left by the median of the last tiles, so that one slow tile does not make it jump. */
public class ProgressMeter(private val total: Int, private val nowNanos: () -> Long = System::nanoTime) {
    private val recent = ArrayDeque<Long>()
    private var last = nowNanos()
    private var done = 0

    /** Counts one finished tile. */
    public fun tick(): Progress {
        val now = nowNanos()
        recent.addLast(now - last)
        if (recent.size > WINDOW) recent.removeFirst()
        last = now
        done++
        val left = if (done < FEWEST) null else recent.sorted()[recent.size / 2] * 1e-9 * (total - done)
        return Progress(done, total, left)
    }

    private companion object {
        const val WINDOW = 32
        const val FEWEST = 3
    }
}
