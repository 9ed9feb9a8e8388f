// Decoders that read rectangles start over for each one; this asks them for whole strips instead.
package org.mobilesr.core

/**
 * Keeps the last strip of [source] that was read.
 *
 * @param columns true if reading goes on from left to right (a picture that EXIF turns by 90 degrees),
 *   false if from top to bottom
 */
public class StripCache(private val source: PixelSource, private val columns: Boolean) : PixelSource {
    override val width: Int get() = source.width
    override val height: Int get() = source.height
    override val hasAlpha: Boolean get() = source.hasAlpha

    private var strip = IntArray(0)
    private var start = 0
    private var size = 0

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        if (columns) load(x, width) else load(y, height)
        val stride = if (columns) size else this.width
        val left = if (columns) x - start else x
        val top = if (columns) y else y - start
        for (row in 0 until height) {
            val from = (top + row) * stride + left
            strip.copyInto(into, row * width, from, from + width)
        }
    }

    private fun load(from: Int, length: Int) {
        if (from >= start && from + length <= start + size) return
        val pixels = Math.multiplyExact(length, if (columns) height else width)
        if (strip.size < pixels) strip = IntArray(pixels)
        if (columns) source.read(from, 0, length, height, strip) else source.read(0, from, width, length, strip)
        start = from
        size = length
    }
}
