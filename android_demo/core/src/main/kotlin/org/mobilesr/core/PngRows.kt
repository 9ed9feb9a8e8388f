// Parts of a PNG that PngWriter wrote, without decoding what lies above them.
package org.mobilesr.core

import java.io.Closeable
import java.io.DataInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.RandomAccessFile
import java.util.zip.Inflater
import java.util.zip.InflaterInputStream

/** A picture of which any rectangle can be read quickly. Not safe for several threads. */
public class PngRows private constructor(private val file: RandomAccessFile, private val restarts: LongArray, header: Header) : PixelSource, Closeable {
    private class Header(val width: Int, val height: Int, val alpha: Boolean)

    override val width: Int = header.width
    override val height: Int = header.height
    override val hasAlpha: Boolean = header.alpha
    private val channels = if (hasAlpha) 4 else 3

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray): Unit = readSampled(x, y, width, height, 1, into)

    /**
     * Reads every [step]-th pixel of every [step]-th row of the rectangle at ([x], [y]).
     *
     * @param into row-major, ceil([width] / [step]) pixels a row
     */
    public fun readSampled(x: Int, y: Int, width: Int, height: Int, step: Int, into: IntArray) {
        val columns = (width + step - 1) / step
        var part = -1
        var rows: Rows? = null
        for (row in 0 until (height + step - 1) / step) {
            val wanted = y + row * step
            if (wanted / PngWriter.RESTART != part) {
                part = wanted / PngWriter.RESTART
                rows = Rows(part)
            }
            val bytes = rows!!.upTo(wanted)
            for (i in 0 until columns) into[row * columns + i] = pixel(bytes, (x + i * step) * channels)
        }
    }

    override fun close(): Unit = file.close()

    private fun pixel(bytes: ByteArray, at: Int): Int {
        val alpha = if (hasAlpha) bytes[at + 3].toInt() and 255 else 255
        return (alpha shl 24) or (bytes[at].toInt() and 255 shl 16) or (bytes[at + 1].toInt() and 255 shl 8) or (bytes[at + 2].toInt() and 255)
    }

    /** The rows of one part, from its first one on. */
    private inner class Rows(part: Int) {
        private val input = DataInputStream(InflaterInputStream(Chunks(restarts[part]), Inflater(true), 1 shl 14))
        private var next = part * PngWriter.RESTART
        private var previous = ByteArray(width * channels)
        private var current = ByteArray(width * channels)

        fun upTo(row: Int): ByteArray {
            while (next <= row) {
                current = previous.also { previous = current }
                val filter = input.readByte().toInt()
                input.readFully(current)
                unfilter(filter)
                next++
            }
            return current
        }

        private fun unfilter(filter: Int) {
            for (i in current.indices) {
                val left = if (i >= channels) current[i - channels].toInt() and 255 else 0
                val up = previous[i].toInt() and 255
                val predicted = when (filter) {
                    PngWriter.SUB -> left
                    PngWriter.UP -> up
                    PngWriter.PAETH -> PngWriter.paeth(left, up, if (i >= channels) previous[i - channels].toInt() and 255 else 0)
                    else -> throw IOException("filter $filter")
                }
                current[i] = (current[i] + predicted).toByte()
            }
        }
    }

    /** The contents of the IDAT chunks from [at] on, as one stream. */
    private inner class Chunks(private var at: Long) : InputStream() {
        private var left = 0
        private val one = ByteArray(1)

        override fun read(): Int = if (read(one, 0, 1) < 0) -1 else one[0].toInt() and 255

        override fun read(into: ByteArray, offset: Int, length: Int): Int {
            while (left == 0) {
                file.seek(at)
                left = file.readInt()
                val type = file.readInt()
                at += 8
                if (type != IDAT) return -1
                if (left == 0) at += 4
            }
            file.seek(at)
            val n = file.read(into, offset, minOf(length, left))
            at += n
            left -= n
            if (left == 0) at += 4 // the checksum
            return n
        }
    }

    public companion object {
        /** Ancillary, private, and lost by whoever changes the picture. */
        internal const val INDEX = "srIX"
        private const val IDAT = 0x49444154
        private const val TAIL = 12

        /** Opens [file], null if it is no PNG of [PngWriter]'s. */
        public fun open(file: File): PngRows? {
            val open = RandomAccessFile(file, "r")
            var rows: PngRows? = null
            try {
                rows = open(open)
            } catch (_: IOException) {
                // cut off: not ours
            } finally {
                if (rows == null) open.close()
            }
            return rows
        }

        private fun open(file: RandomAccessFile): PngRows? {
            val signature = ByteArray(PngWriter.SIGNATURE.size).also { file.readFully(it) }
            if (!signature.contentEquals(PngWriter.SIGNATURE)) return null
            file.skipBytes(8)
            val width = file.readInt()
            val height = file.readInt()
            file.skipBytes(1)
            val header = Header(width, height, file.readByte().toInt() == 6)
            val parts = (height + PngWriter.RESTART - 1) / PngWriter.RESTART
            file.seek(file.length() - TAIL - TAIL - 8L * parts)
            if (file.readInt() != 8 * parts || ByteArray(4).also { file.readFully(it) }.toString(Charsets.US_ASCII) != INDEX) return null
            return PngRows(file, LongArray(parts) { file.readLong() }, header)
        }
    }
}
