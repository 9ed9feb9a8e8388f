// The colour profile of Display P3, for results of photos that have more colours than sRGB.
package org.mobilesr.core

import java.io.ByteArrayOutputStream

/** The colour spaces that results are written in; both have the tone curve of sRGB. */
public enum class ColorSpaceTag { SRGB, DISPLAY_P3 }

/** Makes ICC profiles of version 4: three primaries, one curve. */
public object Icc {
    /** Primaries of Display P3, adapted to the profile's white (D50): red, green, blue as XYZ. */
    private val DISPLAY_P3 = listOf(
        doubleArrayOf(0.51512, 0.2412, -0.00105),
        doubleArrayOf(0.29198, 0.69225, 0.04189),
        doubleArrayOf(0.1571, 0.06657, 0.78407),
    )
    private val D50 = doubleArrayOf(0.9642, 1.0, 0.8249)

    /** The sRGB curve as the profile's function of type 3: gamma, a, b, c, d. */
    private val CURVE = doubleArrayOf(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

    /** The profile of Display P3. */
    public val displayP3: ByteArray by lazy { profile("Display P3", DISPLAY_P3) }

    private fun profile(name: String, primaries: List<DoubleArray>): ByteArray {
        val curve = tag("para") { int(3 shl 16); CURVE.forEach { fixed(it) } }
        val contents = listOf(
            "desc" to text(name), "cprt" to text("CC0"), "wtpt" to xyz(D50),
            "rXYZ" to xyz(primaries[0]), "gXYZ" to xyz(primaries[1]), "bXYZ" to xyz(primaries[2]),
            "rTRC" to curve, "gTRC" to curve, "bTRC" to curve,
        )
        val start = 128 + 4 + 12 * contents.size
        val places = contents.map { it.second }.runningFold(start) { at, bytes -> at + bytes.size }
        val body = ByteArrayOutputStream().apply {
            int(contents.size)
            contents.forEachIndexed { i, (tag, bytes) ->
                ascii(tag)
                int(places[i])
                int(bytes.size)
            }
            contents.forEach { write(it.second) }
        }.toByteArray()
        return header(128 + body.size) + body
    }

    private fun header(size: Int): ByteArray = ByteArrayOutputStream().apply {
        int(size)
        int(0)
        int(0x04300000)
        ascii("mntrRGB XYZ ")
        for (part in intArrayOf(2026, 1, 1, 0, 0, 0)) write(byteArrayOf((part ushr 8).toByte(), part.toByte()))
        ascii("acsp")
        write(ByteArray(28))
        D50.forEach { fixed(it) }
        write(ByteArray(128 - size()))
    }.toByteArray()

    private fun xyz(values: DoubleArray) = tag("XYZ ") { values.forEach { fixed(it) } }

    private fun text(text: String) = tag("mluc") {
        int(1)
        int(12)
        ascii("enUS")
        int(2 * text.length)
        int(28)
        write(text.toByteArray(Charsets.UTF_16BE))
    }

    private fun tag(type: String, content: ByteArrayOutputStream.() -> Unit): ByteArray = ByteArrayOutputStream().apply {
        ascii(type)
        int(0)
        content()
        write(ByteArray((4 - size() % 4) % 4))
    }.toByteArray()

    private fun ByteArrayOutputStream.ascii(text: String) = write(text.toByteArray(Charsets.US_ASCII))

    private fun ByteArrayOutputStream.int(value: Int) {
        for (shift in intArrayOf(24, 16, 8, 0)) write(value ushr shift)
    }

    private fun ByteArrayOutputStream.fixed(value: Double) = int(Math.round(value * 65536).toInt())
}
