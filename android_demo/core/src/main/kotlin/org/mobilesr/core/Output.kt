// What the result is to be: its size, its file format, and what is kept of the photo's own data.
package org.mobilesr.core

import kotlin.math.roundToInt

/** File formats of results. */
public enum class PictureFormat(public val extension: String, public val mime: String) {
    PNG("png", "image/png"),
    JPEG("jpg", "image/jpeg"),
    WEBP("webp", "image/webp"),
}

/** How large the result is to be; never larger than the model makes it. */
public sealed interface OutputSize {
    /** As large as the model makes it. */
    public data object Full : OutputSize

    /** This many times the photo. */
    public data class Factor(val factor: Double) : OutputSize

    /** This many pixels along the longer side. */
    public data class LongSide(val pixels: Int) : OutputSize
}

/** What is kept of when, where and with what the photo was taken. */
public enum class Keep { ALL, WITHOUT_LOCATION, NONE }

/**
 * A result as somebody wishes it.
 *
 * @property format null for the photo's own if it can be written, else JPEG, or PNG for a picture with transparency
 * @property quality of JPEG and WebP, 1 to 100
 */
public data class Output(
    val size: OutputSize = OutputSize.Full,
    val format: PictureFormat? = null,
    val quality: Int = 92,
    val metadata: Keep = Keep.WITHOUT_LOCATION,
) {
    init {
        require(quality in 1..100) { "quality $quality is outside 1 to 100" }
        if (size is OutputSize.Factor) require(size.factor >= 1) { "a factor of ${size.factor} would make it smaller" }
        if (size is OutputSize.LongSide) require(size.pixels >= 1) { "a side of ${size.pixels} pixels" }
    }

    /** Width and height of what a model of [scale] makes of a [width] x [height] photo; at least one pixel a side. */
    public fun dimensions(width: Int, height: Int, scale: Int): Pair<Int, Int> {
        val wanted = when (size) {
            OutputSize.Full -> scale.toDouble()
            is OutputSize.Factor -> size.factor
            is OutputSize.LongSide -> size.pixels.toDouble() / maxOf(width, height)
        }
        val factor = minOf(wanted, scale.toDouble())
        fun side(length: Int) = (length * factor).roundToInt().coerceIn(1, Math.multiplyExact(length, scale))
        return side(width) to side(height)
    }

    /** The format for a photo of the MIME type [source]. */
    public fun formatFor(source: String?, hasAlpha: Boolean): PictureFormat = when {
        format != null -> format
        hasAlpha -> PictureFormat.PNG
        else -> PictureFormat.entries.firstOrNull { it.mime == source && it != PictureFormat.WEBP } ?: PictureFormat.JPEG
    }

    public companion object {
        /**
         * Bytes that a result may need at most in [format]: less than the bare pixels for all but noise.
         *
         * @param width pixels
         * @param height pixels
         */
        public fun mostBytes(width: Int, height: Int, format: PictureFormat): Long {
            val pixels = width.toLong() * height
            return if (format == PictureFormat.PNG) pixels * 5 / 2 else pixels
        }
    }
}

/** A file that is written row by row; [finish] must follow the last one. */
public interface PictureWriter : RowSink, AutoCloseable {
    /** Ends the file; throws if rows are missing. */
    public fun finish()
}
