// The entropy coder of JPEG: the standard's Huffman tables and a stream of bits.
package org.mobilesr.core

import java.io.ByteArrayOutputStream
import java.io.OutputStream
import kotlin.math.abs

/** A table of codes, as annex K of the standard lists it: how many of each length, and their symbols in order. */
internal class HuffmanTable(private val id: Int, private val counts: IntArray, private val symbols: IntArray) {
    val code = IntArray(256)
    val length = IntArray(256)

    init {
        var next = 0
        var n = 0
        counts.forEachIndexed { i, count ->
            repeat(count) {
                code[symbols[n]] = next++
                length[symbols[n++]] = i + 1
            }
            next = next shl 1
        }
    }

    /** The content of the table's marker segment. */
    val segment: ByteArray get() = (intArrayOf(id) + counts + symbols).map { it.toByte() }.toByteArray()

    companion object {
        private val DC_SYMBOLS = IntArray(12) { it }

        /** Tables K.3 and K.4. */
        val dc = listOf(
            HuffmanTable(0x00, intArrayOf(0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0), DC_SYMBOLS),
            HuffmanTable(0x01, intArrayOf(0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0), DC_SYMBOLS),
        )

        /** Tables K.5 and K.6; symbols are hexadecimal, run and size. */
        val ac = listOf(
            HuffmanTable(
                0x10, intArrayOf(0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125),
                hex(
                    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a" +
                        "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aa" +
                        "b2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
                ),
            ),
            HuffmanTable(
                0x11, intArrayOf(0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119),
                hex(
                    "0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a" +
                        "434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9" +
                        "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
                ),
            ),
        )

        val all = dc + ac

        private fun hex(text: String) = text.replace(" ", "").chunked(2).map { it.toInt(16) }.toIntArray()
    }
}

/** Writes codes of any length; a byte of ones is followed by a zero byte, as the format wants. */
internal class BitWriter(private val out: OutputStream) {
    private val buffer = ByteArrayOutputStream(1 shl 15)
    private var bits = 0L
    private var count = 0

    fun code(table: HuffmanTable, symbol: Int) = bits(table.code[symbol], table.length[symbol])

    /** The code of [run] zeros before [value] together with its number of bits, then the bits. */
    fun category(table: HuffmanTable, run: Int, value: Int) {
        val size = 32 - Integer.numberOfLeadingZeros(abs(value))
        code(table, (run shl 4) or size)
        if (size > 0) bits((if (value < 0) value - 1 else value) and ((1 shl size) - 1), size)
    }

    /** Fills the last byte with ones. */
    fun finish() {
        if (count > 0) bits((1 shl (8 - count)) - 1, 8 - count)
        buffer.writeTo(out)
        buffer.reset()
    }

    private fun bits(value: Int, length: Int) {
        bits = (bits shl length) or value.toLong()
        count += length
        while (count >= 8) {
            count -= 8
            val byte = (bits ushr count).toInt() and 255
            buffer.write(byte)
            if (byte == 255) buffer.write(0)
        }
        if (buffer.size() > FULL) {
            buffer.writeTo(out)
            buffer.reset()
        }
    }

    private companion object {
        const val FULL = 1 shl 14
    }
}
