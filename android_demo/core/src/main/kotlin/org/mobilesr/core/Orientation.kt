// The eight EXIF orientations, applied while reading instead of by rotating the whole picture.
package org.mobilesr.core

/**
 * How a stored picture has to be turned to be upright.
 *
 * @property exif value of the EXIF tag, 1 to 8
 * @property transposed rows of the upright picture are columns of the stored one
 * @property fromRight the upright x axis runs against its stored axis
 * @property fromBottom the upright y axis runs against its stored axis
 */
public enum class Orientation(public val exif: Int, public val transposed: Boolean, public val fromRight: Boolean, public val fromBottom: Boolean) {
    NORMAL(1, false, false, false),
    FLIPPED(2, false, true, false),
    ROTATED_180(3, false, true, true),
    FLIPPED_180(4, false, false, true),
    TRANSPOSED(5, true, false, false),
    ROTATED_90(6, true, true, false),
    TRANSVERSED(7, true, true, true),
    ROTATED_270(8, true, false, true),
    ;

    public companion object {
        /** The orientation of an EXIF value; anything outside 1 to 8 (0 = undefined) is upright. */
        public fun ofExif(value: Int): Orientation = entries.firstOrNull { it.exif == value } ?: NORMAL
    }
}

/** [stored] seen upright. */
public class OrientedSource(private val stored: PixelSource, private val orientation: Orientation) : PixelSource {
    override val width: Int = if (orientation.transposed) stored.height else stored.width
    override val height: Int = if (orientation.transposed) stored.width else stored.height
    override val hasAlpha: Boolean get() = stored.hasAlpha

    private var scratch = IntArray(0)

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        if (orientation == Orientation.NORMAL) return stored.read(x, y, width, height, into)
        if (scratch.size < width * height) scratch = IntArray(width * height)
        // the rectangle along the stored picture's axes, still in upright order: u belongs to x, v to y
        val u = if (orientation.fromRight) this.width - x - width else x
        val v = if (orientation.fromBottom) this.height - y - height else y
        if (orientation.transposed) stored.read(v, u, height, width, scratch) else stored.read(u, v, width, height, scratch)
        for (row in 0 until height) {
            val b = if (orientation.fromBottom) height - 1 - row else row
            for (column in 0 until width) {
                val a = if (orientation.fromRight) width - 1 - column else column
                into[row * width + column] = scratch[if (orientation.transposed) a * height + b else b * width + a]
            }
        }
    }
}
