// Cuts one window out of a picture; fills it up only where the picture is smaller than the window.
package org.mobilesr.core

/** Reads windows of [tileWidth] x [tileHeight] from [source]. */
public class WindowReader(private val source: PixelSource, private val tileWidth: Int, private val tileHeight: Int) {
    /** The last window that was read, row-major. */
    public val pixels: IntArray = IntArray(tileWidth * tileHeight)

    /**
     * Reads the window at ([x], [y]) into [pixels].
     *
     * Where the picture ends, it is mirrored about its last pixel (that one not repeated), the rule of
     * NumPy's `reflect`.
     */
    public fun read(x: Int, y: Int) {
        val width = minOf(tileWidth, source.width - x)
        val height = minOf(tileHeight, source.height - y)
        source.read(x, y, width, height, pixels)
        if (width < tileWidth || height < tileHeight) mirror(width, height)
    }

    private fun mirror(width: Int, height: Int) {
        val real = pixels.copyOf(width * height)
        for (row in 0 until tileHeight) {
            val from = reflect(row, height) * width
            for (column in 0 until tileWidth) pixels[row * tileWidth + column] = real[from + reflect(column, width)]
        }
    }

    private fun reflect(i: Int, length: Int): Int {
        if (length == 1) return 0
        val period = 2 * (length - 1)
        val inside = i % period
        return if (inside < length) inside else period - inside
    }
}
