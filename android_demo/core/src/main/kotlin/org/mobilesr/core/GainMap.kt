// Ultra HDR: a second, small JPEG behind the first that says how much brighter each place may shine.
package org.mobilesr.core

import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile

/**
 * The gain map of a photo.
 *
 * @property jpeg the small picture as a file of its own
 * @property xmp its packet: how its values are meant; taken over unchanged
 */
public class GainMap(public val jpeg: ByteArray, public val xmp: String) {
    public companion object {
        private const val NAMESPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
        private const val LARGEST = 64 shl 20

        /** The gain map inside [file], null if it is no Ultra HDR JPEG. */
        public fun read(file: File): GainMap? = try {
            val container = file.inputStream().buffered().use { JpegSegment.findXmp(it) }
            val length = container?.takeIf { NAMESPACE in it && "GainMap" in it }?.let { lengthOf(it) }
            if (length == null || length > minOf(file.length(), LARGEST.toLong())) null else RandomAccessFile(file, "r").use { tail(it, length) }
        } catch (_: IOException) {
            null
        }

        /** The gain map is the last item of the file; the container says how long it is. */
        private fun tail(file: RandomAccessFile, length: Int): GainMap? {
            val bytes = ByteArray(length)
            file.seek(file.length() - length)
            file.readFully(bytes)
            val xmp = JpegSegment.findXmp(ByteArrayInputStream(bytes)) ?: return null
            return if (NAMESPACE in xmp) GainMap(bytes, xmp) else null
        }

        private fun lengthOf(container: String): Int? {
            val item = Regex("<[^>]*Semantic\\s*=\\s*\"GainMap\"[^>]*>").find(container)?.value ?: return null
            return Regex("Length\\s*=\\s*\"(\\d+)\"").find(item)?.groupValues?.get(1)?.toIntOrNull()?.takeIf { it > 0 }
        }
    }
}

/** What makes a JPEG an Ultra HDR one. */
public object UltraHdr {
    /** The small picture with its packet, ready to follow the large one: [bare] is a JPEG that starts without either. */
    public fun second(bare: ByteArray, xmp: String): ByteArray = bare.copyOfRange(0, 2) + JpegSegment.xmp(xmp) + bare.copyOfRange(2, bare.size)

    /** The segments of the large picture that announce a [second] of [length] bytes; [MultiPicture.patch] completes them. */
    public fun segments(length: Int): List<ByteArray> = listOf(JpegSegment.xmp(container(length)), MultiPicture.segment())

    private fun container(length: Int) = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"
 xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/">
<Container:Directory><rdf:Seq>
<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>
<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="$length"/></rdf:li>
</rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"""
}

/** The multi-picture segment of CIPA DC-007 for two pictures; its numbers are known only when the first is written. */
public object MultiPicture {
    private val NAME = "MPF\u0000".toByteArray()
    private const val ENTRIES = 50

    /** The segment with zeros for sizes. */
    public fun segment(): ByteArray = JpegSegment.of(0xE2, NAME + content(0, 0, 0))

    /**
     * Writes the true sizes into [file], whose first picture takes [first] bytes and whose second [second].
     *
     * @throws IOException if the file has no such segment near its start
     */
    public fun patch(file: RandomAccessFile, first: Int, second: Int) {
        val head = ByteArray(minOf(file.length(), 1L shl 18).toInt()).also { file.seek(0); file.readFully(it) }
        val at = (0..head.size - NAME.size).firstOrNull { i -> NAME.indices.all { head[i + it] == NAME[it] } } ?: throw IOException("no MPF segment")
        val origin = at + NAME.size
        file.seek(origin.toLong())
        file.write(content(first, second, first - origin)) // offsets count from the TIFF header inside the segment
    }

    /** Big-endian TIFF: one table with the version, the number of pictures, and where the list of them stands. */
    private fun content(first: Int, second: Int, offset: Int): ByteArray {
        val out = ByteArrayOutputStream()
        fun write(value: Int, bytes: Int) = (bytes - 1 downTo 0).forEach { out.write(value ushr 8 * it) }
        fun entry(tag: Int, type: Int, count: Int, value: Int) {
            write(tag, 2)
            write(type, 2)
            write(count, 4)
            write(value, 4)
        }
        fun picture(attribute: Int, size: Int, at: Int) = intArrayOf(attribute, size, at, 0).forEach { write(it, 4) }
        write(0x4D4D002A, 4)
        write(8, 4)
        write(3, 2)
        entry(0xB000, 7, 4, 0x30313030)
        entry(0xB001, 4, 1, 2)
        entry(0xB002, 7, 32, ENTRIES)
        write(0, 4) // no further table
        picture(PRIMARY, first, 0)
        picture(0, second, offset)
        return out.toByteArray()
    }

    private const val PRIMARY = 0x00030000
}
