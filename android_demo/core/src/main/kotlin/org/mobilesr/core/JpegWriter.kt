// A JPEG that is written while it comes into being: baseline, full colour resolution, eight rows at a time.
package org.mobilesr.core

import java.io.OutputStream
import kotlin.math.cos
import kotlin.math.roundToInt
import kotlin.math.sqrt

/**
 * Writes 8-bit YCbCr JPEG, one row at a time; transparency is dropped. Closing the stream is the caller's business.
 *
 * Colour is not subsampled: what the network drew along coloured edges stays.
 *
 * @param segments marker segments after the JFIF header: EXIF, colour profile, see [JpegSegment]
 * @param quality 1 to 100, the usual scale of the tables of the standard's annex K
 */
public class JpegWriter(
    private val out: OutputStream,
    private val width: Int,
    private val height: Int,
    quality: Int,
    segments: List<ByteArray> = emptyList(),
) : PictureWriter {
    private val tables = listOf(quantization(LUMINANCE, quality), quantization(CHROMINANCE, quality))
    private val strip = Array(3) { FloatArray(paddedWidth() * BLOCK) }
    private val block = FloatArray(BLOCK * BLOCK)
    private val bits = BitWriter(out)
    private val previousDc = IntArray(3)
    private var rows = 0

    init {
        require(width in 1..LARGEST && height in 1..LARGEST) { "a JPEG has at most $LARGEST pixels a side, not ${width}x$height" }
        out.write(byteArrayOf(0xFF.toByte(), 0xD8.toByte()))
        if (segments.none { JpegSegment.isExif(it) }) out.write(JFIF)
        segments.forEach { out.write(it) }
        tables.forEachIndexed { i, table ->
            out.write(JpegSegment.of(0xDB, byteArrayOf(i.toByte()) + ByteArray(64) { table[ZIGZAG[it]].toByte() }))
        }
        out.write(JpegSegment.of(0xC0, byteArrayOf(8, hi(height), lo(height), hi(width), lo(width), 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1)))
        for (table in HuffmanTable.all) out.write(JpegSegment.of(0xC4, table.segment))
        out.write(JpegSegment.of(0xDA, byteArrayOf(3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0)))
    }

    override fun row(pixels: IntArray, offset: Int) {
        check(rows < height) { "more than $height rows" }
        val at = (rows % BLOCK) * paddedWidth()
        for (x in 0 until paddedWidth()) {
            val p = pixels[offset + minOf(x, width - 1)]
            val r = (p ushr 16 and 255).toFloat()
            val g = (p ushr 8 and 255).toFloat()
            val b = (p and 255).toFloat()
            strip[0][at + x] = 0.299f * r + 0.587f * g + 0.114f * b - 128
            strip[1][at + x] = -0.168736f * r - 0.331264f * g + 0.5f * b
            strip[2][at + x] = 0.5f * r - 0.418688f * g - 0.081312f * b
        }
        rows++
        if (rows % BLOCK == 0) writeStrip()
    }

    override fun finish() {
        check(rows == height) { "$rows of $height rows were written" }
        if (rows % BLOCK != 0) {
            val last = (rows - 1) % BLOCK * paddedWidth()
            for (plane in strip) {
                for (row in rows % BLOCK until BLOCK) plane.copyInto(plane, row * paddedWidth(), last, last + paddedWidth())
            }
            writeStrip()
        }
        bits.finish()
        out.write(byteArrayOf(0xFF.toByte(), 0xD9.toByte()))
        out.flush()
    }

    override fun close(): Unit = Unit

    private fun paddedWidth() = (width + BLOCK - 1) / BLOCK * BLOCK

    private fun writeStrip() {
        for (x in 0 until paddedWidth() step BLOCK) for (plane in 0 until 3) writeBlock(plane, x)
    }

    private fun writeBlock(plane: Int, x: Int) {
        for (row in 0 until BLOCK) strip[plane].copyInto(block, row * BLOCK, row * paddedWidth() + x, row * paddedWidth() + x + BLOCK)
        transform(block)
        val kind = if (plane == 0) 0 else 1
        val table = tables[kind]
        val dc = (block[0] / table[0]).roundToInt()
        val difference = dc - previousDc[plane]
        previousDc[plane] = dc
        bits.category(HuffmanTable.dc[kind], 0, difference)
        var zeros = 0
        for (k in 1 until 64) {
            val at = ZIGZAG[k]
            val value = (block[at] / table[at]).roundToInt()
            if (value == 0) {
                zeros++
                continue
            }
            while (zeros > 15) {
                bits.code(HuffmanTable.ac[kind], 0xF0)
                zeros -= 16
            }
            bits.category(HuffmanTable.ac[kind], zeros, value)
            zeros = 0
        }
        if (zeros > 0) bits.code(HuffmanTable.ac[kind], 0)
    }

    private val column = FloatArray(BLOCK)

    /** The cosine transform of a block, in place: rows, then columns. */
    private fun transform(values: FloatArray) {
        for (row in 0 until BLOCK) transform(values, row * BLOCK, 1)
        for (x in 0 until BLOCK) transform(values, x, BLOCK)
    }

    /** Even and odd halves apart: half the products of the definition. */
    private fun transform(values: FloatArray, from: Int, step: Int) {
        for (i in 0 until 4) {
            val a = values[from + i * step]
            val b = values[from + (7 - i) * step]
            column[i] = a + b
            column[4 + i] = a - b
        }
        for (k in 0 until BLOCK) {
            val half = (k and 1) * 4
            val at = k * BLOCK
            values[from + k * step] = column[half] * COSINE[at] + column[half + 1] * COSINE[at + 1] +
                column[half + 2] * COSINE[at + 2] + column[half + 3] * COSINE[at + 3]
        }
    }

    private companion object {
        const val BLOCK = 8
        const val LARGEST = 65535

        /** `COSINE[8 k + i]`: orthonormal, as the standard's scaling. */
        val COSINE = FloatArray(64) { n ->
            val k = n / 8
            ((if (k == 0) sqrt(0.125) else 0.5) * cos((2 * (n % 8) + 1) * k * Math.PI / 16)).toFloat()
        }

        /** Position of the k-th coefficient: along the diagonals, turning at the edges. */
        val ZIGZAG = IntArray(64).also { order ->
            val places = (0 until 64).sortedWith(
                compareBy<Int> { it / 8 + it % 8 }.thenBy { if ((it / 8 + it % 8) % 2 == 0) -(it / 8) else it / 8 },
            )
            for (k in order.indices) order[k] = places[k]
        }

        val JFIF = JpegSegment.of(0xE0, "JFIF\u0000".toByteArray() + byteArrayOf(1, 2, 0, 0, 1, 0, 1, 0, 0))

        /** Annex K.1 of the standard, in rows. */
        val LUMINANCE = intArrayOf(
            16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
            18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
        )

        /** Annex K.2: nine numbers of its own, 99 elsewhere. */
        val CHROMINANCE = IntArray(64) { 99 }.also {
            val known = mapOf(0 to 17, 1 to 18, 2 to 24, 3 to 47, 8 to 18, 9 to 21, 10 to 26, 11 to 66, 16 to 24, 17 to 26, 18 to 56, 24 to 47, 25 to 66)
            for ((at, value) in known) it[at] = value
        }

        fun quantization(base: IntArray, quality: Int): IntArray {
            val percent = if (quality < 50) 5000 / quality else 200 - 2 * quality
            return IntArray(64) { ((base[it] * percent + 50) / 100).coerceIn(1, 255) }
        }

        fun hi(value: Int) = (value ushr 8).toByte()

        fun lo(value: Int) = value.toByte()
    }
}
