// The sharp pixels of what is visible, decoded beside the main thread once the fingers rest.
package org.mobilesr.app

import android.graphics.Bitmap
import android.graphics.Rect
import android.os.Handler
import android.os.Looper
import org.mobilesr.core.Reading
import java.io.IOException
import java.util.concurrent.Executors

/** A decoded part of a picture; [part] in pixels of the enlarged picture. */
class Detail(val part: Rect, val bitmap: Bitmap)

/** Before and after at full sharpness, for the part that is looked at. */
class DetailPair(val before: Detail?, val after: Detail?)

/** Decodes parts of [finished], newest wish first, older ones dropped. Main thread only. */
class DetailLoader(private val finished: Finished, private val deliver: (DetailPair) -> Unit) {
    private val main = Handler(Looper.getMainLooper())
    @Volatile
    private var wish = 0

    /** Delivers [part] of the enlarged picture, decoded for [scale] screen pixels a pixel. */
    fun load(part: Rect, scale: Float) {
        val number = ++wish
        executor.execute {
            if (number != wish) return@execute
            val pair = DetailPair(before(part), after(part, scale))
            main.post { if (number == wish) deliver(pair) }
        }
    }

    /** Delivers nothing any more. */
    fun stop() {
        wish++
    }

    private fun after(part: Rect, scale: Float): Detail? {
        var sample = 1
        while (scale * sample * 2 <= 1f) sample *= 2
        if (part.width().toLong() * part.height() / (sample.toLong() * sample) > MOST_PIXELS) return null
        val decoder = regionDecoder(finished.result.file) ?: return null
        val bitmap = decoder.decodeRegion(part, srgb().apply { inSampleSize = sample })
        decoder.recycle()
        return bitmap?.let { Detail(part, it) }
    }

    private fun before(part: Rect): Detail? {
        val photo = finished.photo
        val scale = finished.result.width / photo.width
        val small = Rect(part.left / scale, part.top / scale, (part.right + scale - 1) / scale, (part.bottom + scale - 1) / scale)
        if (small.width().toLong() * small.height() > MOST_PIXELS || !photo.hasRegions) return null
        val pixels = IntArray(small.width() * small.height())
        try {
            photo.open(Reading.REGIONS).use { it.read(small.left, small.top, small.width(), small.height(), pixels) }
        } catch (_: IOException) {
            return null // the cache was emptied; the preview stays
        }
        val bitmap = Bitmap.createBitmap(pixels, small.width(), small.height(), Bitmap.Config.ARGB_8888)
        return Detail(Rect(small.left * scale, small.top * scale, small.right * scale, small.bottom * scale), bitmap)
    }

    private companion object {
        const val MOST_PIXELS = 6_000_000L
        val executor = Executors.newSingleThreadExecutor { Thread(it, "details").apply { isDaemon = true } }
    }
}
