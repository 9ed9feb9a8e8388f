// The sharp pixels of what is visible, decoded beside the main thread once the fingers rest.
package org.mobilesr.app

import android.graphics.Bitmap
import android.graphics.BitmapRegionDecoder
import android.graphics.Rect
import android.os.Handler
import android.os.Looper
import org.mobilesr.bitmapOf
import org.mobilesr.core.PngRows
import org.mobilesr.core.Reading
import org.mobilesr.regionDecoder
import org.mobilesr.srgb
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

    // of the executor's thread; opened once, a decoder of a large picture is slow to make
    private var rows: PngRows? = null
    private var decoder: BitmapRegionDecoder? = null
    private var opened = false

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
        executor.execute {
            rows?.close()
            decoder?.recycle()
            rows = null
            decoder = null
            opened = false
        }
    }

    private fun after(part: Rect, scale: Float): Detail? {
        var sample = 1
        while (scale * sample * 2 <= 1f) sample *= 2
        if (part.width().toLong() * part.height() / (sample.toLong() * sample) > MOST_PIXELS) return null
        open()
        val bitmap = try {
            rows?.let { cut(it, part, sample) } ?: decoder?.decodeRegion(part, srgb().apply { inSampleSize = sample })
        } catch (_: IOException) {
            null // the file is gone; the preview stays
        }
        return bitmap?.let { Detail(part, it) }
    }

    private fun open() {
        if (opened) return
        opened = true
        rows = try {
            PngRows.open(finished.result.file)
        } catch (_: IOException) {
            null
        }
        if (rows == null) decoder = regionDecoder(finished.result.file)
    }

    private fun cut(rows: PngRows, part: Rect, sample: Int): Bitmap {
        val width = (part.width() + sample - 1) / sample
        val height = (part.height() + sample - 1) / sample
        val pixels = IntArray(width * height)
        rows.readSampled(part.left, part.top, part.width(), part.height(), sample, pixels)
        return bitmapOf(pixels, width, height, finished.photo.color)
    }

    private fun before(part: Rect): Detail? {
        val photo = finished.photo
        val scale = finished.result.width.toFloat() / photo.width
        val small = Rect(
            (part.left / scale).toInt(), (part.top / scale).toInt(),
            ((part.right / scale).toInt() + 1).coerceAtMost(photo.width), ((part.bottom / scale).toInt() + 1).coerceAtMost(photo.height),
        )
        if (small.isEmpty || small.width().toLong() * small.height() > MOST_PIXELS || !photo.hasRegions) return null
        val pixels = IntArray(small.width() * small.height())
        try {
            photo.open(Reading.REGIONS).use { it.read(small.left, small.top, small.width(), small.height(), pixels) }
        } catch (_: IOException) {
            return null // the file is gone; the preview stays
        }
        val bitmap = bitmapOf(pixels, small.width(), small.height(), photo.color)
        val place = Rect((small.left * scale).toInt(), (small.top * scale).toInt(), (small.right * scale).toInt(), (small.bottom * scale).toInt())
        return Detail(place, bitmap)
    }

    private companion object {
        const val MOST_PIXELS = 6_000_000L
        val executor = Executors.newSingleThreadExecutor { Thread(it, "details").apply { isDaemon = true } }
    }
}
