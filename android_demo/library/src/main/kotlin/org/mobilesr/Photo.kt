// A photo that was chosen or shared in: copied, measured, and opened for reading by rectangles.
package org.mobilesr

import android.content.ContentResolver
import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.media.ExifInterface
import android.net.Uri
import android.provider.OpenableColumns
import org.mobilesr.core.CancelToken
import org.mobilesr.core.ColorSpaceTag
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
import java.io.InputStream
import java.io.OutputStream

/** The file is no picture that this device can decode. */
public class UnreadablePhotoException(message: String) : IOException(message)

/** The file is larger than a photo can be; bytes. */
public class OversizedFileException(public val limit: Long) : IOException("more than $limit bytes")

/** The app that hands out the file broke down; its own exceptions may be of any kind. */
public class ProviderException(cause: RuntimeException) : IOException("${cause.javaClass.simpleName}: ${cause.message}", cause)

/** The name that the provider of [uri] shows to people; null if it has none. */
public fun ContentResolver.displayName(uri: Uri): String? = try {
    query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { if (it.moveToFirst()) it.getString(0) else null }
} catch (_: RuntimeException) {
    null // the file itself decides whether the provider can be read
}

/**
 * A photo in the app's own storage, so that no permission can run out under the work.
 *
 * @property width upright, pixels
 * @property height upright, pixels
 * @property mime as the decoder names the format
 * @property color what its pixels are read as: Display P3 for photos with more colors than sRGB
 */
public class Photo private constructor(
    public val file: File,
    public val name: String?,
    public val width: Int,
    public val height: Int,
    public val orientation: Orientation,
    public val mime: String?,
    public val color: ColorSpaceTag,
    private val storedWidth: Int,
    private val storedHeight: Int,
) {
    /** True if rectangles can be decoded without decoding the rest. */
    public val hasRegions: Boolean by lazy { regionDecoder(file)?.also { it.recycle() } != null }

    /** False promises that every pixel is opaque: what a small version of the picture says, where the format has a choice. */
    public val hasAlpha: Boolean by lazy {
        if (mime == "image/jpeg") return@lazy false
        val small = BitmapFactory.decodeFile(file.path, decoding().apply { inSampleSize = sampleFor(ALPHA_SIDE) })
        (small?.hasAlpha() ?: true).also { small?.recycle() }
    }

    /** Opens the pixels, upright, in [color]. @throws UnreadablePhotoException if they cannot be decoded */
    public fun open(reading: Reading): OpenPhoto = when (reading) {
        Reading.WHOLE -> {
            val bitmap = decodeWhole()
            OpenPhoto(OrientedSource(BitmapSource(bitmap, hasAlpha), orientation)) { bitmap.recycle() }
        }
        Reading.REGIONS -> {
            val decoder = regionDecoder(file) ?: throw UnreadablePhotoException("no regions in $name")
            val strips = StripCache(RegionSource(decoder, hasAlpha) { decoding() }, orientation.transposed)
            OpenPhoto(OrientedSource(strips, orientation)) { decoder.recycle() }
        }
    }

    /** An upright picture of at most about [longest] pixels a side, for the screen. */
    public fun preview(longest: Int): Bitmap {
        val options = decoding().apply {
            inSampleSize = sampleFor(longest)
            inPremultiplied = true // views draw no other
        }
        val bitmap = BitmapFactory.decodeFile(file.path, options) ?: throw UnreadablePhotoException("$name")
        return upright(bitmap, orientation)
    }

    private fun sampleFor(longest: Int): Int {
        var sample = 1
        while (maxOf(storedWidth, storedHeight) / (sample * 2) >= longest) sample *= 2
        return sample
    }

    private fun decodeWhole(): Bitmap {
        val bitmap = BitmapFactory.decodeFile(file.path, decoding()) ?: throw UnreadablePhotoException("$name")
        return (if (bitmap.config == Bitmap.Config.ARGB_8888) bitmap else redrawn(bitmap)).asNumbers()
    }

    /** 8 bits a channel, colors not multiplied by alpha. */
    private fun decoding() = BitmapFactory.Options().apply {
        inPreferredConfig = Bitmap.Config.ARGB_8888
        inPreferredColorSpace = ColorSpace.get(if (color == ColorSpaceTag.SRGB) ColorSpace.Named.SRGB else ColorSpace.Named.DISPLAY_P3)
        inScaled = false
        inPremultiplied = false
    }

    public companion object {
        private const val ALPHA_SIDE = 256

        /** No camera writes half as much; a cloud provider could send without end. */
        public const val MOST_BYTES: Long = 512L shl 20

        /**
         * Copies the picture behind [uri] into [target].
         *
         * @throws IOException if it cannot be read
         * @throws java.util.concurrent.CancellationException once [cancel] is set
         */
        public fun import(context: Context, uri: Uri, target: File, cancel: CancelToken = CancelToken()): Photo {
            val resolver = context.contentResolver
            FileResult.write(target) { out -> open(resolver, uri).use { copy(it, out, cancel) } }
            return of(target, resolver.displayName(uri) ?: uri.lastPathSegment)
        }

        /** Measures the picture in [file]. @throws UnreadablePhotoException if it is none */
        public fun of(file: File, name: String?): Photo {
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
                mime = bounds.outMimeType,
                color = if (canKeepWide && bounds.outColorSpace?.isWideGamut == true) ColorSpaceTag.DISPLAY_P3 else ColorSpaceTag.SRGB,
                storedWidth = bounds.outWidth,
                storedHeight = bounds.outHeight,
            )
        }

        private fun open(resolver: ContentResolver, uri: Uri): InputStream = try {
            resolver.openInputStream(uri) ?: throw FileNotFoundException(uri.toString())
        } catch (e: SecurityException) {
            throw e
        } catch (e: RuntimeException) {
            throw ProviderException(e)
        }

        private fun copy(from: InputStream, to: OutputStream, cancel: CancelToken) {
            val buffer = ByteArray(1 shl 16)
            var bytes = 0L
            while (true) {
                cancel.check()
                val n = try {
                    from.read(buffer)
                } catch (e: RuntimeException) {
                    throw ProviderException(e)
                }
                if (n < 0) return
                bytes += n
                if (bytes > MOST_BYTES) throw OversizedFileException(MOST_BYTES)
                to.write(buffer, 0, n)
            }
        }

        private fun orientation(file: File): Orientation = try {
            Orientation.ofExif(ExifInterface(file.path).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_UNDEFINED))
        } catch (_: IOException) {
            Orientation.NORMAL // a format without EXIF
        }
    }
}

/** Pixels of a photo that hold memory or a decoder until they are closed. */
public class OpenPhoto(source: PixelSource, private val release: () -> Unit) : PixelSource by source, Closeable {
    override fun close(): Unit = release()
}
