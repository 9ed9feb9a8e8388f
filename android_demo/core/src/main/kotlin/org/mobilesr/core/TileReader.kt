// Reads and encodes the next tile while the engine computes the present one.
package org.mobilesr.core

import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.Future

/**
 * One window of the picture, ready for the engine.
 *
 * @property pixels of the window, for its transparency
 * @property input the same as the model's numbers
 */
public class PreparedTile(public val pixels: IntArray, public val input: FloatArray)

/**
 * Prepares the windows of [plan] in their order, one ahead, on a thread of its own: the source is read by that thread only.
 *
 * Two tiles are used in turn, so what [next] gives is valid until [next] is called again.
 */
internal class TileReader(private val source: PixelSource, private val plan: TilePlan, range: ValueRange) : AutoCloseable {
    private val codec = PixelCodec(range)
    private val thread = Executors.newSingleThreadExecutor { Thread(it, "tiles").apply { isDaemon = true } }
    private val windows = List(2) { WindowReader(source, plan.tileWidth, plan.tileHeight) }
    private val prepared = windows.map { PreparedTile(it.pixels, FloatArray(it.pixels.size * 3)) }
    private var index = 0
    private var ahead: Future<PreparedTile> = prepare(0)

    /** The next window; throws what reading the source threw. */
    fun next(): PreparedTile {
        val tile = try {
            ahead.get()
        } catch (e: ExecutionException) {
            throw e.cause ?: e
        }
        index++
        if (index < plan.count) ahead = prepare(index)
        return tile
    }

    /** Ends the thread; waits for it, because whoever owns the source closes it next. */
    override fun close() {
        thread.shutdown()
        ahead.runCatching { get() }
    }

    private fun prepare(number: Int): Future<PreparedTile> = thread.submit<PreparedTile> {
        val tile = plan.band(number / plan.columns.size)[number % plan.columns.size]
        val window = windows[number % 2]
        window.read(tile.column.start, tile.row.start)
        if (source.hasAlpha) Alpha.bleed(window.pixels, plan.tileWidth, plan.tileHeight)
        prepared[number % 2].also { codec.encode(it.pixels, it.pixels.size, it.input) }
    }
}
