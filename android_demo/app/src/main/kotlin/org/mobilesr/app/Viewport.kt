// Where a picture lies on the screen: zoom and position, no drawing.
package org.mobilesr.app

import android.graphics.Rect
import android.graphics.RectF
import kotlin.math.ceil
import kotlin.math.floor

/** A picture in a view, zoomed and moved by the user. */
class Viewport {
    private var width = 1
    private var height = 1
    private var viewWidth = 0
    private var viewHeight = 0

    /** 1 shows the whole picture. */
    var zoom = 1f
        private set

    /** The picture's point in the middle of the view, fractions of its size. */
    var centerX = 0.5f
        private set
    var centerY = 0.5f
        private set

    /** Screen pixels for each picture pixel. */
    val scale: Float get() = zoom * fit

    private val fit: Float get() = minOf(viewWidth / width.toFloat(), viewHeight / height.toFloat())

    /** Sets the size of the picture. */
    fun picture(width: Int, height: Int) {
        this.width = width
        this.height = height
        clamp()
    }

    /** Sets the size of the view. */
    fun view(width: Int, height: Int) {
        viewWidth = width
        viewHeight = height
        clamp()
    }

    /** Puts back what was saved. */
    fun restore(zoom: Float, centerX: Float, centerY: Float) {
        this.zoom = zoom
        this.centerX = centerX
        this.centerY = centerY
        clamp()
    }

    /** Zooms by [factor]; the picture's point under ([x], [y]) stays there. */
    fun zoomBy(factor: Float, x: Float, y: Float) {
        val before = bounds()
        val u = (x - before.left) / before.width()
        val v = (y - before.top) / before.height()
        zoom *= factor
        clampZoom()
        centerX = u + (viewWidth / 2f - x) / (width * scale)
        centerY = v + (viewHeight / 2f - y) / (height * scale)
        clamp()
    }

    /** Moves the picture by screen pixels. */
    fun moveBy(x: Float, y: Float) {
        centerX -= x / (width * scale)
        centerY -= y / (height * scale)
        clamp()
    }

    /** The whole picture on the screen; it may be larger than the view. */
    fun bounds(): RectF {
        val w = width * scale
        val h = height * scale
        val left = viewWidth / 2f - centerX * w
        val top = viewHeight / 2f - centerY * h
        return RectF(left, top, left + w, top + h)
    }

    /** The visible part, in picture pixels. */
    fun visible(): Rect {
        val bounds = bounds()
        return Rect(
            floor((0 - bounds.left) / scale).toInt().coerceIn(0, width),
            floor((0 - bounds.top) / scale).toInt().coerceIn(0, height),
            ceil((viewWidth - bounds.left) / scale).toInt().coerceIn(0, width),
            ceil((viewHeight - bounds.top) / scale).toInt().coerceIn(0, height),
        )
    }

    /** The screen rectangle of a rectangle of the picture. */
    fun toScreen(part: Rect): RectF {
        val bounds = bounds()
        return RectF(bounds.left + part.left * scale, bounds.top + part.top * scale, bounds.left + part.right * scale, bounds.top + part.bottom * scale)
    }

    private fun clampZoom() {
        zoom = zoom.coerceIn(1f, maxOf(1f, LARGEST_PIXEL / fit))
    }

    private fun clamp() {
        if (viewWidth == 0 || viewHeight == 0) return // not laid out yet: keep what was restored
        clampZoom()
        centerX = clampCenter(centerX, viewWidth / (width * scale))
        centerY = clampCenter(centerY, viewHeight / (height * scale))
    }

    /** A picture smaller than the view is centred, a larger one covers it; [seen] is the visible fraction. */
    private fun clampCenter(center: Float, seen: Float): Float =
        if (!(seen < 1f)) 0.5f else center.coerceIn(seen / 2, 1 - seen / 2)

    private companion object {
        /** One picture pixel is at most this many screen pixels. */
        const val LARGEST_PIXEL = 8f
    }
}
