// The marker segments at the start of a JPEG file: reading them, making them.
package org.mobilesr.core

import java.io.ByteArrayOutputStream
import java.io.InputStream

/** Marker segments are bytes `FF marker length content`; the length counts itself. */
public object JpegSegment {
    private val EXIF = "Exif\u0000\u0000".toByteArray()
    private val ICC = "ICC_PROFILE\u0000".toByteArray()
    private const val APP1 = 0xE1
    private const val APP2 = 0xE2
    private const val MOST = 65533

    /** One segment of [content]. */
    public fun of(marker: Int, content: ByteArray): ByteArray {
        require(content.size <= MOST) { "${content.size} bytes do not fit into a segment" }
        val length = content.size + 2
        return byteArrayOf(0xFF.toByte(), marker.toByte(), (length ushr 8).toByte(), length.toByte()) + content
    }

    /** The segment of an EXIF block; null if it is larger than a segment may be. */
    public fun exif(tiff: ByteArray): ByteArray? = if (EXIF.size + tiff.size > MOST) null else of(APP1, EXIF + tiff)

    /** The segment of a colour profile. */
    public fun icc(profile: ByteArray): ByteArray = of(APP2, ICC + byteArrayOf(1, 1) + profile)

    /** The segment of an XMP packet. */
    public fun xmp(packet: String): ByteArray = of(APP1, XMP + packet.toByteArray())

    /** True for an EXIF segment. */
    public fun isExif(segment: ByteArray): Boolean = segment[1] == APP1.toByte() && segment.drop(4).take(EXIF.size) == EXIF.toList()

    /** The EXIF block of the JPEG that [input] starts with, null if it has none. */
    public fun findExif(input: InputStream): ByteArray? = content(input, EXIF)

    /** The XMP packet of the JPEG that [input] starts with, null if it has none. */
    public fun findXmp(input: InputStream): String? = content(input, XMP)?.toString(Charsets.UTF_8)

    private val XMP = "http://ns.adobe.com/xap/1.0/\u0000".toByteArray()

    private fun content(input: InputStream, prefix: ByteArray): ByteArray? {
        if (input.read() != 0xFF || input.read() != 0xD8) return null
        while (true) {
            if (input.read() != 0xFF) return null
            var marker = input.read()
            while (marker == 0xFF) marker = input.read()
            if (marker < 0 || marker == 0xDA || marker == 0xD9) return null // the picture itself: no more segments
            val length = (input.read() shl 8) + input.read() - 2
            if (length < 0) return null
            val bytes = input.exactly(length) ?: return null
            if (marker == APP1 && bytes.size >= prefix.size && prefix.indices.all { bytes[it] == prefix[it] }) {
                return bytes.copyOfRange(prefix.size, bytes.size)
            }
        }
    }

    private fun InputStream.exactly(length: Int): ByteArray? {
        val bytes = ByteArrayOutputStream(length)
        val buffer = ByteArray(minOf(length, 1 shl 13))
        while (bytes.size() < length) {
            val n = read(buffer, 0, minOf(buffer.size, length - bytes.size()))
            if (n < 0) return null
            bytes.write(buffer, 0, n)
        }
        return bytes.toByteArray()
    }
}
