// What a photo says about itself: found in its file, corrected for the result, the place taken out on request.
package org.mobilesr.core

import java.io.DataInputStream
import java.io.EOFException
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** An EXIF block: a small TIFF file. It is edited where it stands, so that offsets inside (maker notes) stay true. */
public object Exif {
    /** The block of [file], a JPEG, PNG or WebP; null if it has none or is damaged. */
    public fun read(file: File): ByteArray? = try {
        file.inputStream().buffered().use { input ->
            input.mark(HEAD)
            val head = ByteArray(HEAD).also { DataInputStream(input).readFully(it) }
            input.reset()
            when {
                head[0] == 0xFF.toByte() -> JpegSegment.findExif(input)
                String(head, 1, 3, Charsets.US_ASCII) == "PNG" -> inPng(DataInputStream(input))
                String(head, 8, 4, Charsets.US_ASCII) == "WEBP" -> inWebp(DataInputStream(input))
                else -> null
            }
        }
    } catch (_: IOException) {
        null
    }

    /**
     * The block for a result: upright, of its own size, without thumbnail.
     *
     * @param width of the result, pixels
     * @param height of the result, pixels
     * @return null if there is nothing to keep, or [tiff] is damaged
     */
    public fun forResult(tiff: ByteArray?, width: Int, height: Int, keep: Keep): ByteArray? {
        if (tiff == null || keep == Keep.NONE) return null
        return try {
            Editor(tiff.copyOf()).correct(width, height, keep == Keep.ALL)
        } catch (_: IndexOutOfBoundsException) {
            null
        }
    }

    private const val HEAD = 12
    private const val LARGEST = 1 shl 20

    private fun inPng(input: DataInputStream): ByteArray? {
        input.skipFully(8)
        while (true) {
            val length = input.intOrNull() ?: return null
            val type = ByteArray(4).also { input.readFully(it) }.toString(Charsets.US_ASCII)
            if (type == "IEND" || length !in 0..Int.MAX_VALUE - 4) return null
            if (type == "eXIf" && length <= LARGEST) return ByteArray(length).also { input.readFully(it) }
            input.skipFully(length + 4)
        }
    }

    private fun inWebp(input: DataInputStream): ByteArray? {
        input.skipFully(12)
        while (true) {
            val type = ByteArray(4)
            try {
                input.readFully(type)
            } catch (_: EOFException) {
                return null
            }
            val length = Integer.reverseBytes(input.readInt())
            if (length < 0) return null
            if (type.toString(Charsets.US_ASCII) == "EXIF" && length <= LARGEST) {
                val bytes = ByteArray(length).also { input.readFully(it) }
                return if (bytes.size > 6 && String(bytes, 0, 4, Charsets.US_ASCII) == "Exif") bytes.copyOfRange(6, bytes.size) else bytes
            }
            input.skipFully(length + length % 2)
        }
    }

    private fun DataInputStream.intOrNull(): Int? = try {
        readInt()
    } catch (_: EOFException) {
        null
    }

    private fun DataInputStream.skipFully(bytes: Int) {
        var left = bytes
        while (left > 0) {
            val n = skipBytes(left)
            if (n <= 0) throw EOFException()
            left -= n
        }
    }

    /** Every access is checked by the buffer itself. */
    private class Editor(private val bytes: ByteArray) {
        private val data = ByteBuffer.wrap(bytes).order(if (bytes.isNotEmpty() && bytes[0] == 'I'.code.toByte()) ByteOrder.LITTLE_ENDIAN else ByteOrder.BIG_ENDIAN)

        fun correct(width: Int, height: Int, location: Boolean): ByteArray? {
            if (data.getShort(2).toInt() != 42) return null
            val main = data.getInt(4)
            dropThumbnail(main)
            entry(main, ORIENTATION)?.let { setShort(it, 1) }
            if (!location) {
                entry(main, GPS)?.let { wipeTable(data.getInt(it + 8)) }
                remove(main, GPS)
            }
            val photo = entry(main, PHOTO)?.let { data.getInt(it + 8) } ?: return bytes
            entry(photo, WIDTH)?.let { setLong(it, width) }
            entry(photo, HEIGHT)?.let { setLong(it, height) }
            return bytes
        }

        private fun count(table: Int) = data.getShort(table).toInt() and 0xFFFF

        private fun entries(table: Int): List<Int> = List(count(table)) { table + 2 + ENTRY * it }

        private fun entry(table: Int, tag: Int): Int? = entries(table).firstOrNull { data.getShort(it).toInt() and 0xFFFF == tag }

        private fun setShort(entry: Int, value: Int) {
            data.putShort(entry + 2, SHORT).putInt(entry + 4, 1).putInt(entry + 8, 0).putShort(entry + 8, value.toShort())
        }

        private fun setLong(entry: Int, value: Int) {
            data.putShort(entry + 2, LONG).putInt(entry + 4, 1).putInt(entry + 8, value)
        }

        /** The thumbnail is the second table of the file, with the small picture behind it. */
        private fun dropThumbnail(main: Int) {
            val link = main + 2 + ENTRY * count(main)
            val second = data.getInt(link)
            if (second == 0) return
            val start = entry(second, THUMBNAIL)?.let { data.getInt(it + 8) }
            val length = entry(second, THUMBNAIL_LENGTH)?.let { data.getInt(it + 8) }
            if (start != null && length != null) wipe(start, length)
            wipeTable(second)
            data.putInt(link, 0)
        }

        /** Zeros in place of a table and of all that it points to: unlinked alone, it would still be in the file. */
        private fun wipeTable(table: Int) {
            for (entry in entries(table)) {
                val type = data.getShort(entry + 2).toInt()
                val size = SIZES.getOrElse(type) { 1 } * data.getInt(entry + 4)
                if (size > 4) wipe(data.getInt(entry + 8), size)
            }
            wipe(table, 2 + ENTRY * count(table) + 4)
        }

        private fun wipe(start: Int, length: Int) {
            if (start < 0 || length < 0 || start > bytes.size - length) throw IndexOutOfBoundsException("$start + $length of ${bytes.size}")
            bytes.fill(0, start, start + length)
        }

        private fun remove(table: Int, tag: Int) {
            val at = entry(table, tag) ?: return
            val end = table + 2 + ENTRY * count(table) + 4
            bytes.copyInto(bytes, at, at + ENTRY, end)
            bytes.fill(0, end - ENTRY, end)
            data.putShort(table, (count(table) - 1).toShort())
        }
    }

    private const val ENTRY = 12
    private const val SHORT: Short = 3
    private const val LONG: Short = 4
    private const val ORIENTATION = 0x0112
    private const val THUMBNAIL = 0x0201
    private const val THUMBNAIL_LENGTH = 0x0202
    private const val PHOTO = 0x8769
    private const val GPS = 0x8825
    private const val WIDTH = 0xA002
    private const val HEIGHT = 0xA003

    /** Bytes of one value of each TIFF type. */
    private val SIZES = listOf(1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
}
