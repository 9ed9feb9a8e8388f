// Where pixels come from: any picture that can hand out rectangles of itself.
package org.mobilesr.core

/**
 * A picture that is read by rectangles, so that it never has to be in memory as a whole.
 *
 * Pixels are sRGB, `0xAARRGGBB`, colours not multiplied by alpha.
 */
public interface PixelSource {
    public val width: Int
    public val height: Int

    /** False promises that every pixel is opaque. */
    public val hasAlpha: Boolean

    /**
     * Reads the rectangle at ([x], [y]) of [width] x [height] pixels, which must lie inside the picture.
     *
     * @param into row-major target, at least [width] * [height] long
     */
    public fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray)
}

/** A picture that lies in memory as one array. */
public class ArrayImage(
    override val width: Int,
    override val height: Int,
    public val pixels: IntArray,
    override val hasAlpha: Boolean = pixels.any { it ushr 24 != 255 },
) : PixelSource {
    init {
        require(width > 0 && height > 0) { "an image needs at least one pixel, got ${width}x$height" }
        require(pixels.size == width * height) { "${pixels.size} pixels do not fill ${width}x$height" }
    }

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        for (row in 0 until height) {
            val from = (y + row) * this.width + x
            pixels.copyInto(into, row * width, from, from + width)
        }
    }
}
