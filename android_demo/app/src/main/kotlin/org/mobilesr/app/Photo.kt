// A photo that was chosen or shared in: copied, measured, and opened for reading by rectangles.
package org.mobilesr.app

import android.content.ContentResolver
import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Canvas
import android.graphics.ColorSpace
import android.graphics.Matrix
import android.graphics.Rect
import android.media.ExifInterface
import android.net.Uri
import android.provider.OpenableColumns
import org.mobilesr.core.FileResult
import org.mobilesr.core.Orientation
import org.mobilesr.core.OrientedSource
import org.mobilesr.core.PixelSource
import org.mobilesr.core.Reading
import org.mobilesr.core.StripCache
import java.io.Closeable
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/** The file is no picture that this device can decode. */
class UnreadablePhotoException(message: String) : IOException(message)

/** The name that the provider of [uri] shows to people. */
fun ContentResolver.displayName(uri: Uri): String? =
    query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { if (it.moveToFirst()) it.getString(0) else null }

/**
 * A photo in the app's own cache, so that no permission can run out under the work.
 *
 * @property width upright, pixels
 * @property height upright, pixels
 */
class Photo private constructor(
    val file: File,
    val name: String?,
    val width: Int,
    val height: Int,
    val orientation: Orientation,
    private val storedWidth: Int,
    private val storedHeight: Int,
    private val opaque: Boolean,
) {
    /** True if rectangles can be decoded without decoding the rest. */
    val hasRegions: Boolean by lazy { decoder()?.also { it.recycle() } != null }

    /** Opens the pixels, upright sRGB. @throws UnreadablePhotoException if they cannot be decoded */
    fun open(reading: Reading): OpenPhoto = when (reading) {
        Reading.WHOLE -> {
            val bitmap = decodeWhole()
            OpenPhoto(OrientedSource(BitmapSource(bitmap), orientation)) { bitmap.recycle() }
        }
        Reading.REGIONS -> {
            val decoder = decoder() ?: throw UnreadablePhotoException("no regions in $name")
            val strips = StripCache(RegionSource(decoder, !opaque), orientation.transposed)
            OpenPhoto(OrientedSource(strips, orientation)) { decoder.recycle() }
        }
    }

    /** An upright picture of at most about [longest] pixels a side, for the screen. */
    fun preview(longest: Int): Bitmap {
        var sample = 1
        while (maxOf(storedWidth, storedHeight) / (sample * 2) >= longest) sample *= 2
        val bitmap = BitmapFactory.decodeFile(file.path, srgb().apply { inSampleSize = sample }) ?: throw UnreadablePhotoException("$name")
        return upright(bitmap, orientation)
    }

    private fun decodeWhole(): Bitmap {
        val options = srgb().apply { inPremultiplied = false }
        val bitmap = BitmapFactory.decodeFile(file.path, options) ?: throw UnreadablePhotoException("$name")
        return if (bitmap.config == Bitmap.Config.ARGB_8888) bitmap else redrawn(bitmap)
    }

    private fun decoder(): BitmapRegionDecoder? = regionDecoder(file)

    companion object {
        /** Copies the picture behind [uri] into [folder]. @throws IOException if it cannot be read */
        fun import(context: Context, uri: Uri, folder: File, number: Int): Photo {
            val resolver = context.contentResolver
            val target = File(folder, "photo-$number")
            FileResult.write(target) { out ->
                (resolver.openInputStream(uri) ?: throw FileNotFoundException(uri.toString())).use { it.copyTo(out) }
            }
            return of(target, resolver.displayName(uri) ?: uri.lastPathSegment)
        }

        /** Measures the picture in [file]. @throws UnreadablePhotoException if it is none */
        fun of(file: File, name: String?): Photo {
            val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
            BitmapFactory.decodeFile(file.path, bounds)
            if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw UnreadablePhotoException("$name")
            val orientation = orientation(file)
            val turned = orientation.transposed
            return Photo(
                file = file,
                name = name,
                width = if (turned) bounds.outHeight else bounds.outWidth,
                height = if (turned) bounds.outWidth else bounds.outHeight,
                orientation = orientation,
                storedWidth = bounds.outWidth,
                storedHeight = bounds.outHeight,
                opaque = bounds.outMimeType == "image/jpeg",
            )
        }

        private fun orientation(file: File): Orientation = try {
            Orientation.ofExif(ExifInterface(file.path).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_UNDEFINED))
        } catch (_: IOException) {
            Orientation.NORMAL // a format without EXIF
        }
    }
}

/** Pixels of a photo that hold memory or a decoder until they are closed. */
class OpenPhoto(source: PixelSource, private val release: () -> Unit) : PixelSource by source, Closeable {
    override fun close() = release()
}

/** The decoder of [file]'s rectangles, null if its format has none. */
fun regionDecoder(file: File): BitmapRegionDecoder? = try {
    @Suppress("DEPRECATION") // the newer call needs API 31
    BitmapRegionDecoder.newInstance(file.path, false)
} catch (_: IOException) {
    null
}

/** Decode as 8-bit sRGB: wide-gamut and HDR pictures are converted by the decoder. */
fun srgb() = BitmapFactory.Options().apply {
    inPreferredConfig = Bitmap.Config.ARGB_8888
    inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
    inScaled = false
}

/** [bitmap] turned upright; the given one is recycled if it had to be turned. */
fun upright(bitmap: Bitmap, orientation: Orientation): Bitmap {
    if (orientation == Orientation.NORMAL) return bitmap
    val matrix = Matrix()
    if (orientation.transposed) matrix.setValues(floatArrayOf(0f, 1f, 0f, 1f, 0f, 0f, 0f, 0f, 1f))
    matrix.postScale(if (orientation.fromRight) -1f else 1f, if (orientation.fromBottom) -1f else 1f)
    return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, false).also { if (it !== bitmap) bitmap.recycle() }
}

/** Decoders answer in other formats for some pictures (16 bit a channel, hardware); drawing converts to sRGB. */
private fun redrawn(bitmap: Bitmap): Bitmap {
    val copy = Bitmap.createBitmap(bitmap.width, bitmap.height, Bitmap.Config.ARGB_8888)
    Canvas(copy).drawBitmap(bitmap, 0f, 0f, null)
    bitmap.recycle()
    return copy
}

/** A decoded picture. */
private class BitmapSource(private val bitmap: Bitmap) : PixelSource {
    override val width get() = bitmap.width
    override val height get() = bitmap.height
    override val hasAlpha = bitmap.hasAlpha()

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) = bitmap.getPixels(into, 0, width, x, y, width, height)
}

/** A picture that is decoded by rectangles. */
private class RegionSource(private val decoder: BitmapRegionDecoder, override val hasAlpha: Boolean) : PixelSource {
    override val width get() = decoder.width
    override val height get() = decoder.height

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        val bitmap = decoder.decodeRegion(Rect(x, y, x + width, y + height), srgb()) ?: throw UnreadablePhotoException("region $x, $y")
        bitmap.getPixels(into, 0, width, 0, 0, width, height)
        bitmap.recycle()
    }
}
