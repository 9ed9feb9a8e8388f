// WebP: Android encodes it from a whole bitmap only, so it is for results that fit into memory.
package org.mobilesr

import android.graphics.Bitmap
import android.os.Build
import org.mobilesr.core.FreeMemory
import org.mobilesr.core.NotEnoughMemoryException
import org.mobilesr.core.OtherWriters
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.PictureSpec
import org.mobilesr.core.PictureWriter
import java.io.IOException
import java.io.OutputStream

/** Largest side of a WebP, pixels. */
public const val LARGEST_WEBP: Int = 16383

/** Android's own encoders. */
public class BitmapWriters(private val free: () -> FreeMemory) : OtherWriters {
    override fun open(spec: PictureSpec, out: OutputStream): PictureWriter? {
        if (spec.format != PictureFormat.WEBP) return null
        if (maxOf(spec.width, spec.height) > LARGEST_WEBP) throw IOException("a WebP has at most $LARGEST_WEBP pixels a side, not ${spec.width}x${spec.height}")
        val needed = spec.width.toLong() * spec.height * 4
        if (needed > free().device / 2) throw NotEnoughMemoryException(needed, free().device / 2)
        return WebpWriter(spec, out)
    }
}

/** Collects the picture, then encodes it. */
private class WebpWriter(private val spec: PictureSpec, private val out: OutputStream) : PictureWriter {
    private val bitmap = Bitmap.createBitmap(spec.width, spec.height, Bitmap.Config.ARGB_8888).apply { setHasAlpha(spec.alpha) }
    private var rows = 0

    override fun row(pixels: IntArray, offset: Int) = bitmap.setPixels(pixels, offset, spec.width, 0, rows++, spec.width, 1)

    override fun finish() {
        check(rows == spec.height) { "$rows of ${spec.height} rows were written" }
        val format = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            Bitmap.CompressFormat.WEBP_LOSSY
        } else {
            @Suppress("DEPRECATION") // its successor needs API 30
            Bitmap.CompressFormat.WEBP
        }
        bitmap.markAs(spec.extras.color)
        if (!bitmap.compress(format, spec.quality, out)) throw IOException("WebP: the encoder failed")
    }

    override fun close() = bitmap.recycle()
}
