// A PNG that is written while it comes into being, so that memory does not grow with the picture.
package org.mobilesr.core

import java.io.ByteArrayOutputStream
import java.io.OutputStream
import java.util.zip.CRC32
import java.util.zip.Deflater
import kotlin.math.abs

/**
 * Writes 8-bit RGB or RGBA, sRGB, one row at a time.
 *
 * [finish] must follow the last row; a file without it is incomplete on purpose. Closing the stream is
 * the caller's business.
 */
class PngWriter(
    private val out: OutputStream,
    private val width: Int,
    private val height: Int,
    private val alpha: Boolean,
    level: Int = 4,
) : RowSink, AutoCloseable {
    private val channels = if (alpha) 4 else 3
    private var current = ByteArray(width * channels)
    private var previous = ByteArray(width * channels)
    private var best = ByteArray(width * channels + 1)
    private var trial = ByteArray(width * channels + 1)
    private val deflater = Deflater(level)
    private val chunk = ByteArray(1 shl 16)
    private var rows = 0

    init {
        out.write(byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte(), 13, 10, 26, 10))
        val header = ByteArrayOutputStream()
        header.int(width)
        header.int(height)
        header.write(byteArrayOf(8, if (alpha) 6 else 2, 0, 0, 0))
        chunk("IHDR", header.toByteArray())
        chunk("sRGB", byteArrayOf(0))
    }

    override fun row(pixels: IntArray, offset: Int) {
        check(rows < height) { "more than $height rows" }
        unpack(pixels, offset)
        chooseFilter()
        deflater.setInput(best, 0, best.size)
        drain()
        rows++
        current = previous.also { previous = current }
    }

    /** Ends the file; throws if rows are missing. */
    fun finish() {
        check(rows == height) { "$rows of $height rows were written" }
        deflater.finish()
        drain()
        chunk("IEND", ByteArray(0))
        out.flush()
    }

    /** Frees the compressor. */
    override fun close() = deflater.end()

    private fun unpack(pixels: IntArray, offset: Int) {
        var o = 0
        for (i in offset until offset + width) {
            val p = pixels[i]
            current[o++] = (p ushr 16).toByte()
            current[o++] = (p ushr 8).toByte()
            current[o++] = p.toByte()
            if (alpha) current[o++] = (p ushr 24).toByte()
        }
    }

    /** The usual rule: the filter with the smallest sum of absolute differences. */
    private fun chooseFilter() {
        var least = Long.MAX_VALUE
        for (filter in FILTERS) {
            val sum = apply(filter)
            if (sum < least) {
                least = sum
                best = trial.also { trial = best }
            }
        }
    }

    private fun apply(filter: Int): Long {
        trial[0] = filter.toByte()
        var sum = 0L
        for (i in current.indices) {
            val left = if (i >= channels) current[i - channels].toInt() and 255 else 0
            val up = previous[i].toInt() and 255
            val predicted = when (filter) {
                SUB -> left
                UP -> up
                else -> paeth(left, up, if (i >= channels) previous[i - channels].toInt() and 255 else 0)
            }
            val difference = (current[i] - predicted).toByte()
            trial[i + 1] = difference
            sum += abs(difference.toInt())
        }
        return sum
    }

    private fun paeth(left: Int, up: Int, corner: Int): Int {
        val estimate = left + up - corner
        val toLeft = abs(estimate - left)
        val toUp = abs(estimate - up)
        val toCorner = abs(estimate - corner)
        return if (toLeft <= toUp && toLeft <= toCorner) left else if (toUp <= toCorner) up else corner
    }

    private fun drain() {
        while (true) {
            val n = deflater.deflate(chunk)
            if (n == 0) return
            chunk("IDAT", chunk, n)
        }
    }

    private fun chunk(type: String, data: ByteArray, length: Int = data.size) {
        val name = type.toByteArray(Charsets.US_ASCII)
        val crc = CRC32()
        crc.update(name)
        crc.update(data, 0, length)
        out.int(length)
        out.write(name)
        out.write(data, 0, length)
        out.int(crc.value.toInt())
    }

    private companion object {
        const val SUB = 1
        const val UP = 2
        const val PAETH = 4
        val FILTERS = intArrayOf(SUB, UP, PAETH)

        fun OutputStream.int(value: Int) {
            for (shift in intArrayOf(24, 16, 8, 0)) write(value ushr shift)
        }
    }
}
