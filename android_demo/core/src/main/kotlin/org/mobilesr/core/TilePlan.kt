// Which windows of a picture go through the network, and which part of each answer is kept.
package org.mobilesr.core

/**
 * One window along one axis, in low-resolution pixels: it covers `[start, start + tile)`, and of its
 * answer `[keepFrom, keepTo)` is kept.
 */
public data class Span(val start: Int, val keepFrom: Int, val keepTo: Int)

/** A window of the plan: its place in the order of work and its spans. */
public data class Tile(val index: Int, val column: Span, val row: Span)

/**
 * Covers a picture with windows of the network's fixed size.
 *
 * The same plan as `plan_fixed_tiles` in `conversion/tiles.py`, so that both give the same picture.
 * Every kept pixel has [halo] pixels of real picture around it inside its window, or the picture's own
 * border. The last window is shifted inward, so no window reaches outside; only a picture smaller than
 * the window is padded (by whoever reads the window).
 *
 * @property width low-resolution pixels
 * @property height low-resolution pixels
 * @property halo low-resolution pixels
 */
public class TilePlan(
    public val width: Int,
    public val height: Int,
    public val tileWidth: Int,
    public val tileHeight: Int,
    public val halo: Int,
    public val scale: Int,
) {
    public val columns: List<Span> = spans(width, tileWidth, halo)
    public val rows: List<Span> = spans(height, tileHeight, halo)

    /** Number of windows. */
    public val count: Int get() = columns.size * rows.size
    public val outputWidth: Int get() = Math.multiplyExact(width, scale)
    public val outputHeight: Int get() = Math.multiplyExact(height, scale)

    /** Low-resolution rows of the highest band of kept pixels. */
    public val bandHeight: Int get() = rows.maxOf { it.keepTo - it.keepFrom }

    /** The windows of one band, left to right. */
    public fun band(row: Int): List<Tile> = columns.mapIndexed { i, column -> Tile(row * columns.size + i, column, rows[row]) }

    public companion object {
        /** The windows along one axis of [length] pixels, as few as the halo allows. */
        public fun spans(length: Int, tile: Int, halo: Int): List<Span> {
            require(length > 0) { "an axis of $length pixels" }
            require(halo >= 0 && tile > 2 * halo) { "a halo of $halo pixels on both sides leaves nothing of a tile of $tile" }
            if (length <= tile) return listOf(Span(0, 0, length))
            val core = tile - 2 * halo
            val count = (length - 2 * halo + core - 1) / core
            val starts = List(count) { minOf(it * core, length - tile) }
            return starts.mapIndexed { k, start ->
                Span(
                    start = start,
                    keepFrom = if (k == 0) 0 else start + halo,
                    keepTo = if (k == count - 1) length else starts[k + 1] + halo,
                )
            }
        }
    }
}
