// A PNG that is written while it comes into being, so that memory does not grow with the picture.
package org.mobilesr.core

import java.io.ByteArrayOutputStream
import java.io.OutputStream
import java.util.zip.Adler32
import java.util.zip.CRC32
import java.util.zip.Deflater
import java.util.zip.DeflaterOutputStream
import kotlin.math.abs

/**
 * Writes 8-bit RGB or RGBA, one row at a time.
 *
 * [finish] must follow the last row; a file without it is incomplete on purpose. Closing the stream is
 * the caller's business. Every [RESTART] rows the compression starts anew, and a chunk of our own before the end says where:
 * [PngRows] reads any part of the picture without the rows above it.
 *
 * @param exif block to store, see [Exif]
 */
public class PngWriter(
    private val out: OutputStream,
    private val width: Int,
    private val height: Int,
    private val alpha: Boolean,
    color: ColorSpaceTag = ColorSpaceTag.SRGB,
    exif: ByteArray? = null,
    level: Int = 4,
) : PictureWriter {
    private val channels = if (alpha) 4 else 3
    private var current = ByteArray(width * channels)
    private var previous = ByteArray(width * channels)
    private var best = ByteArray(width * channels + 1)
    private var trial = ByteArray(width * channels + 1)
    private val deflater = Deflater(level, true)
    private val checksum = Adler32()
    private val chunk = ByteArray(1 shl 16)
    private val restarts = ArrayList<Long>()
    private var written = SIGNATURE.size.toLong()
    private var rows = 0

    init {
        out.write(SIGNATURE)
        val header = ByteArrayOutputStream()
        header.int(width)
        header.int(height)
        header.write(byteArrayOf(8, if (alpha) 6 else 2, 0, 0, 0))
        chunk("IHDR", header.toByteArray())
        if (color == ColorSpaceTag.SRGB) chunk("sRGB", byteArrayOf(0)) else chunk("iCCP", profile(Icc.displayP3))
        if (exif != null) chunk("eXIf", exif)
        // the zlib header stands alone, so that each part is a bare deflate stream
        chunk("IDAT", byteArrayOf(0x78, 0x5E))
    }

    override fun row(pixels: IntArray, offset: Int) {
        check(rows < height) { "more than $height rows" }
        val first = rows % RESTART == 0
        if (first) restart()
        unpack(pixels, offset)
        chooseFilter(if (first) LEFT_ONLY else FILTERS)
        checksum.update(best, 0, best.size)
        deflater.setInput(best, 0, best.size)
        drain(Deflater.NO_FLUSH)
        rows++
        current = previous.also { previous = current }
    }

    override fun finish() {
        check(rows == height) { "$rows of $height rows were written" }
        deflater.finish()
        drain(Deflater.NO_FLUSH)
        chunk("IDAT", ByteArrayOutputStream(4).apply { int(checksum.value.toInt()) }.toByteArray())
        chunk(PngRows.INDEX, ByteArrayOutputStream().apply { restarts.forEach { int((it ushr 32).toInt()); int(it.toInt()) } }.toByteArray())
        chunk("IEND", ByteArray(0))
        out.flush()
    }

    /** Frees the compressor. */
    override fun close(): Unit = deflater.end()

    /** Forgets the rows above: a full flush ends on a whole byte, and the next part refers to nothing before it. */
    private fun restart() {
        if (rows > 0) drain(Deflater.FULL_FLUSH)
        restarts += written
    }

    private fun profile(icc: ByteArray): ByteArray = ByteArrayOutputStream().apply {
        write("ICC\u0000\u0000".toByteArray())
        DeflaterOutputStream(this).use { it.write(icc) }
    }.toByteArray()

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
    private fun chooseFilter(filters: IntArray) {
        var least = Long.MAX_VALUE
        for (filter in filters) {
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

    private fun drain(flush: Int) {
        while (true) {
            val n = deflater.deflate(chunk, 0, chunk.size, flush)
            if (n > 0) chunk("IDAT", chunk, n)
            if (n < chunk.size) return
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
        written += length + 12
    }

    internal companion object {
        /** Rows between two places at which reading can begin. */
        const val RESTART = 64
        const val SUB = 1
        const val UP = 2
        const val PAETH = 4
        private val FILTERS = intArrayOf(SUB, UP, PAETH)
        private val LEFT_ONLY = intArrayOf(SUB)
        val SIGNATURE = byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte(), 13, 10, 26, 10)

        fun paeth(left: Int, up: Int, corner: Int): Int {
            val estimate = left + up - corner
            val toLeft = abs(estimate - left)
            val toUp = abs(estimate - up)
            val toCorner = abs(estimate - corner)
            return if (toLeft <= toUp && toLeft <= toCorner) left else if (toUp <= toCorner) up else corner
        }

        private fun OutputStream.int(value: Int) {
            for (shift in intArrayOf(24, 16, 8, 0)) write(value ushr shift)
        }
    }
}
