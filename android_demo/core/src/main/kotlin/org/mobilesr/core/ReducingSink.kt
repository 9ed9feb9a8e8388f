// Makes rows smaller on their way to the file, holding two rows: results of any size between the photo's and the model's.
package org.mobilesr.core

import kotlin.math.ceil
import kotlin.math.floor

/**
 * Averages each output pixel over the area that it covers, weighted by transparency.
 *
 * @param target gets the smaller picture
 * @param width of the rows that come in
 * @param height number of rows that come in
 * @param outWidth at most [width]
 * @param outHeight at most [height]
 */
public class ReducingSink(
    private val target: RowSink,
    private val width: Int,
    private val height: Int,
    private val outWidth: Int,
    private val outHeight: Int,
) : RowSink {
    init {
        require(outWidth in 1..width && outHeight in 1..height) { "${width}x$height cannot be reduced to ${outWidth}x$outHeight" }
    }

    private val horizontal = Shares.of(width, outWidth)
    private val vertical = Shares.of(height, outHeight)
    private val narrow = DoubleArray(outWidth * PARTS)
    private val sums = DoubleArray(outWidth * PARTS)
    private val row = IntArray(outWidth)
    private var y = 0
    private var out = 0

    override fun row(pixels: IntArray, offset: Int) {
        check(y < height) { "more than $height rows" }
        narrow(pixels, offset)
        while (out < outHeight && y >= vertical.first[out]) {
            val share = vertical.share(out, y)
            for (i in sums.indices) sums[i] += share * narrow[i]
            if (y < vertical.last[out]) break
            emit()
            if (out < outHeight && y < vertical.first[out]) break
        }
        y++
    }

    private fun narrow(pixels: IntArray, offset: Int) {
        narrow.fill(0.0)
        for (x in 0 until outWidth) {
            for (i in horizontal.first[x]..horizontal.last[x]) {
                val pixel = pixels[offset + i]
                val share = horizontal.share(x, i)
                val alpha = share * (pixel ushr 24)
                narrow[x * PARTS] += alpha
                for (c in 1..3) narrow[x * PARTS + c] += alpha * (pixel ushr (24 - 8 * c) and 255)
            }
        }
    }

    private fun emit() {
        for (x in 0 until outWidth) {
            val alpha = sums[x * PARTS]
            fun colour(c: Int) = if (alpha == 0.0) 0 else Math.round(sums[x * PARTS + c] / alpha).toInt().coerceIn(0, 255)
            row[x] = (Math.round(alpha).toInt().coerceIn(0, 255) shl 24) or (colour(1) shl 16) or (colour(2) shl 8) or colour(3)
        }
        target.row(row, 0)
        sums.fill(0.0)
        out++
    }

    /** For each output position: the first and last input position that it covers, and how much of each. */
    private class Shares(val first: IntArray, val last: IntArray, private val ratio: Double) {
        /** The part of output [o] that input [i] makes; all parts add up to 1. */
        fun share(o: Int, i: Int): Double = (minOf(i + 1.0, (o + 1) * ratio) - maxOf(i.toDouble(), o * ratio)) / ratio

        companion object {
            fun of(length: Int, outLength: Int): Shares {
                val ratio = length.toDouble() / outLength
                val first = IntArray(outLength) { floor(it * ratio + TINY).toInt() }
                val last = IntArray(outLength) { (ceil((it + 1) * ratio - TINY).toInt() - 1).coerceIn(first[it], length - 1) }
                return Shares(first, last, ratio)
            }

            private const val TINY = 1e-9
        }
    }

    private companion object {
        /** Alpha, and red, green and blue times alpha. */
        const val PARTS = 4
    }
}
