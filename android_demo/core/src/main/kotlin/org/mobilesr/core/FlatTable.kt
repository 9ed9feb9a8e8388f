// Just enough of the FlatBuffers format to look into a .tflite file, every step checked against its end.
package org.mobilesr.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The bytes lead outside of the file: cut off or damaged. */
public class DamagedFileException(message: String) : Exception(message)

/** One table of a FlatBuffers file; fields are known by their number in the schema. */
internal class FlatTable private constructor(private val data: ByteBuffer, private val at: Int) {
    private val vtable = at - data.checkedInt(at)
    private val vtableSize = data.checkedShort(vtable)

    /** Position of a field's value, null if the field is absent. */
    private fun field(number: Int): Int? {
        val entry = 4 + 2 * number
        if (entry + 2 > vtableSize) return null
        val offset = data.checkedShort(vtable + entry)
        return if (offset == 0) null else at + offset
    }

    fun int(number: Int, default: Int = 0): Int = field(number)?.let { data.checkedInt(it) } ?: default

    fun byte(number: Int, default: Int = 0): Int = field(number)?.let { data.checkedByte(it) } ?: default

    fun long(number: Int, default: Long = 0): Long =
        field(number)?.let { (data.checkedInt(it).toLong() and 0xFFFFFFFFL) or (data.checkedInt(it + 4).toLong() shl 32) } ?: default

    fun table(number: Int): FlatTable? = field(number)?.let { FlatTable(data, it + data.checkedInt(it)) }

    fun text(number: Int): String? = bytes(number)?.toString(Charsets.UTF_8)

    fun bytes(number: Int): ByteArray? = vector(number, 1)?.let { (start, length) ->
        ByteArray(length).also { for (i in it.indices) it[i] = data.get(start + i) }
    }

    /** Length in bytes of a vector of bytes, without reading it. */
    fun byteCount(number: Int): Int = vector(number, 1)?.second ?: 0

    fun ints(number: Int): List<Int> = vector(number, 4).orEmpty { start, i -> data.getInt(start + 4 * i) }

    fun longs(number: Int): List<Long> = vector(number, 8).orEmpty { start, i -> data.getLong(start + 8 * i) }

    fun floats(number: Int): List<Float> = vector(number, 4).orEmpty { start, i -> data.getFloat(start + 4 * i) }

    fun tables(number: Int): List<FlatTable> =
        vector(number, 4).orEmpty { start, i -> (start + 4 * i).let { FlatTable(data, it + data.checkedInt(it)) } }

    /** Start of the elements and their number. */
    private fun vector(number: Int, elementSize: Int): Pair<Int, Int>? {
        val at = field(number) ?: return null
        val start = at + data.checkedInt(at)
        val length = data.checkedInt(start)
        val end = start + 4L + length.toLong() * elementSize
        if (length < 0 || end > data.limit()) throw DamagedFileException("a list ends at byte $end of ${data.limit()}")
        return start + 4 to length
    }

    private fun <T> Pair<Int, Int>?.orEmpty(element: (start: Int, index: Int) -> T): List<T> =
        if (this == null) emptyList() else List(second) { element(first, it) }

    companion object {
        /** The root table; [data] starts at the file's first byte. */
        fun root(data: ByteBuffer): FlatTable = data.order(ByteOrder.LITTLE_ENDIAN).let { FlatTable(it, it.checkedInt(0)) }

        private fun ByteBuffer.checkedInt(at: Int): Int = getInt(inside(at, 4))

        private fun ByteBuffer.checkedShort(at: Int): Int = getShort(inside(at, 2)).toInt() and 0xFFFF

        private fun ByteBuffer.checkedByte(at: Int): Int = get(inside(at, 1)).toInt()

        private fun ByteBuffer.inside(at: Int, size: Int): Int {
            if (at < 0 || at > limit() - size) throw DamagedFileException("an offset leads to byte $at of ${limit()}")
            return at
        }
    }
}
