// Android's bitmaps and decoders as sources of pixels, and pictures turned upright.
package org.mobilesr

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Canvas
import android.graphics.ColorSpace
import android.graphics.Matrix
import android.graphics.Rect
import android.os.Build
import org.mobilesr.core.ColorSpaceTag
import org.mobilesr.core.Orientation
import org.mobilesr.core.PixelSource
import java.io.File
import java.io.IOException

/** The decoder of [file]'s rectangles, null if its format has none. */
public fun regionDecoder(file: File): BitmapRegionDecoder? = try {
    @Suppress("DEPRECATION") // the newer call needs API 31
    BitmapRegionDecoder.newInstance(file.path, false)
} catch (_: IOException) {
    null
}

/** Decode as 8-bit sRGB: wide-gamut and HDR pictures are converted by the decoder. */
public fun srgb(): BitmapFactory.Options = BitmapFactory.Options().apply {
    inPreferredConfig = Bitmap.Config.ARGB_8888
    inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
    inScaled = false
}

/** [bitmap] turned upright; the given one is recycled if it had to be turned. */
public fun upright(bitmap: Bitmap, orientation: Orientation): Bitmap {
    if (orientation == Orientation.NORMAL) return bitmap
    val matrix = Matrix()
    if (orientation.transposed) matrix.setValues(floatArrayOf(0f, 1f, 0f, 1f, 0f, 0f, 0f, 0f, 1f))
    matrix.postScale(if (orientation.fromRight) -1f else 1f, if (orientation.fromBottom) -1f else 1f)
    return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, false).also { if (it !== bitmap) bitmap.recycle() }
}

/** Decoders answer in other formats for some pictures (16 bit a channel, hardware); drawing converts to 8 bit. */
internal fun redrawn(bitmap: Bitmap): Bitmap {
    val copy = Bitmap.createBitmap(bitmap.width, bitmap.height, Bitmap.Config.ARGB_8888, true, bitmap.colorSpace ?: ColorSpace.get(ColorSpace.Named.SRGB))
    Canvas(copy).drawBitmap(bitmap, 0f, 0f, null)
    bitmap.recycle()
    return copy
}

/** Before Android 10 a bitmap's numbers cannot be read or written but as sRGB: there, more colors are converted away. */
internal val canKeepWide = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q

/** The same bitmap called sRGB: its pixels are then read as they are, not converted. */
internal fun Bitmap.asNumbers(): Bitmap = apply {
    if (canKeepWide) setColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
}

/** A bitmap of [pixels], row-major, which are colors of [color]. */
public fun bitmapOf(pixels: IntArray, width: Int, height: Int, color: ColorSpaceTag): Bitmap {
    val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    bitmap.setPixels(pixels, 0, width, 0, 0, width, height)
    return bitmap.apply { markAs(color) }
}

/** Says what the numbers of a bitmap stand for. */
internal fun Bitmap.markAs(color: ColorSpaceTag) {
    if (canKeepWide && color == ColorSpaceTag.DISPLAY_P3) setColorSpace(ColorSpace.get(ColorSpace.Named.DISPLAY_P3))
}

/** Gives a bitmap whose numbers came from [other] that one's color space. */
internal fun Bitmap.markLike(other: Bitmap) {
    val space = other.colorSpace
    if (canKeepWide && space != null) setColorSpace(space)
}

/** A decoded picture. */
internal class BitmapSource(private val bitmap: Bitmap, override val hasAlpha: Boolean = bitmap.hasAlpha()) : PixelSource {
    override val width get() = bitmap.width
    override val height get() = bitmap.height

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) = bitmap.getPixels(into, 0, width, x, y, width, height)
}

/** A picture that is decoded by rectangles. */
internal class RegionSource(
    private val decoder: BitmapRegionDecoder,
    override val hasAlpha: Boolean,
    private val options: () -> BitmapFactory.Options,
) : PixelSource {
    override val width get() = decoder.width
    override val height get() = decoder.height

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        val bitmap = decoder.decodeRegion(Rect(x, y, x + width, y + height), options()) ?: throw UnreadablePhotoException("region $x, $y")
        bitmap.asNumbers().getPixels(into, 0, width, 0, 0, width, height)
        bitmap.recycle()
    }
}
