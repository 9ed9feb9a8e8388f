// Compresses one band of the result while the engine computes the next.
package org.mobilesr.core

import java.util.concurrent.ArrayBlockingQueue

/**
 * Hands finished bands to [sink] on a thread of its own.
 *
 * With two bands, used in turn, whoever fills them waits only if the sink is a whole band behind; with one it always waits.
 *
 * @param width of a row, pixels
 * @param rows of the highest band
 */
internal class BandWriter(private val sink: RowSink, private val width: Int, rows: Int, bands: Int) : AutoCloseable {
    private val free = ArrayBlockingQueue<IntArray>(bands).apply { repeat(bands) { add(IntArray(Math.multiplyExact(width, rows))) } }
    private val full = ArrayBlockingQueue<Band>(bands + 1)
    private val thread = Thread({ write() }, "writer").apply { isDaemon = true }.also { it.start() }

    @Volatile
    private var failure: Throwable? = null

    private class Band(val pixels: IntArray, val rows: Int)

    /** A band to fill; throws what the sink threw. */
    fun take(): IntArray = free.take().also { failure?.let { throw it } }

    /** Queues [rows] rows of a band that [take] gave. */
    fun put(pixels: IntArray, rows: Int) = full.put(Band(pixels, rows))

    /** Waits until everything is written; throws what the sink threw. */
    fun finish() {
        close()
        failure?.let { throw it }
    }

    /** Ends the thread; waits for it, because whoever owns the sink closes it next. */
    override fun close() {
        if (thread.isAlive) full.put(END)
        thread.join()
    }

    private fun write() {
        while (true) {
            val band = full.take()
            if (band === END) return
            try {
                if (failure == null) for (y in 0 until band.rows) sink.row(band.pixels, y * width)
            } catch (e: Throwable) {
                failure = e // told to whoever fills the next band
            }
            free.put(band.pixels)
        }
    }

    private companion object {
        val END = Band(IntArray(0), 0)
    }
}
