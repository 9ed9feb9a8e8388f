// Packed 8-bit pixels to the network's numbers and back.
package org.mobilesr.core

/** The numbers that stand for black and for white in a model's tensors. */
public data class ValueRange(val low: Float, val high: Float) {
    init {
        require(high > low) { "a range from $low to $high is empty" }
    }

    public companion object {
        public val UNIT: ValueRange = ValueRange(0f, 1f)
    }
}

/** Converts between `0xAARRGGBB` pixels and interleaved RGB floats. */
public class PixelCodec(private val range: ValueRange) {
    private val step = (range.high - range.low) / 255f

    /** Writes the RGB of [count] pixels as 3 * [count] floats. */
    public fun encode(pixels: IntArray, count: Int, into: FloatArray) {
        var o = 0
        for (i in 0 until count) {
            val p = pixels[i]
            into[o++] = range.low + (p ushr 16 and 255) * step
            into[o++] = range.low + (p ushr 8 and 255) * step
            into[o++] = range.low + (p and 255) * step
        }
    }

    /** The opaque pixel whose three floats start at [offset]; out of range is clipped. */
    public fun decode(values: FloatArray, offset: Int): Int =
        OPAQUE or (byte(values[offset]) shl 16) or (byte(values[offset + 1]) shl 8) or byte(values[offset + 2])

    private fun byte(value: Float): Int = Math.round((value - range.low) / step).coerceIn(0, 255)

    private companion object {
        const val OPAQUE = 255 shl 24
    }
}
