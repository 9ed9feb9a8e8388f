// Two pictures on top of each other with a divider between them, pinch zoom and pan.
package org.mobilesr.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Rect
import android.graphics.RectF
import android.os.Build
import android.os.Bundle
import android.os.Parcelable
import android.util.AttributeSet
import android.view.GestureDetector
import android.view.KeyEvent
import android.view.MotionEvent
import android.view.ScaleGestureDetector
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.SeekBar
import kotlin.math.abs
import kotlin.math.roundToInt

/**
 * Shows a picture, or the enlarged one over the original.
 *
 * One finger on the divider moves it; elsewhere it pans a zoomed picture. Two fingers zoom, a double tap
 * zooms in and out. To TalkBack and keyboards it is a seek bar that can zoom: plus and minus, Home and End.
 */
class BeforeAfterView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val viewport = Viewport()
    private var before: Bitmap? = null
    private var after: Bitmap? = null
    private var key: String? = null
    private var loader: DetailLoader? = null
    private var details: DetailPair? = null

    /** Position of the divider, 0 (left) to 1. */
    var split = 0.5f
        private set(value) {
            field = value.coerceIn(0f, 1f)
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R && after != null) {
                stateDescription = context.getString(R.string.compare_state, (field * 100).roundToInt())
            }
            invalidate()
        }

    private val picturePaint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val painter = DividerPainter(this)
    private var draggingDivider = false

    private val pinch = ScaleGestureDetector(
        context,
        object : ScaleGestureDetector.SimpleOnScaleGestureListener() {
            override fun onScale(detector: ScaleGestureDetector): Boolean {
                viewport.zoomBy(detector.scaleFactor, detector.focusX, detector.focusY)
                moved()
                return true
            }
        },
    )

    private val taps = GestureDetector(
        context,
        object : GestureDetector.SimpleOnGestureListener() {
            override fun onDown(e: MotionEvent): Boolean {
                draggingDivider = after != null && (viewport.zoom == 1f || abs(e.x - split * width) < painter.reach)
                return true
            }

            override fun onScroll(e1: MotionEvent?, e2: MotionEvent, distanceX: Float, distanceY: Float): Boolean {
                if (pinch.isInProgress) return false
                if (draggingDivider) split = e2.x / width else viewport.moveBy(-distanceX, -distanceY).also { moved() }
                return true
            }

            override fun onDoubleTap(e: MotionEvent): Boolean {
                toggleZoom(e.x, e.y)
                return true
            }
        },
    )

    /** Shows one picture without a divider. */
    fun show(picture: Bitmap) = show(picture, null, null, picture.width, picture.height)

    /** Shows [finished] with its previews; zoom and divider stay if it is shown already. */
    fun compare(before: Bitmap, after: Bitmap, finished: Finished) {
        if (this.after !== after) {
            loader?.stop()
            loader = DetailLoader(finished) { pair ->
                details = pair
                invalidate()
            }
        }
        show(before, after, finished.result.file.name, finished.result.width, finished.result.height)
        split = split // tells TalkBack
    }

    private fun show(before: Bitmap, after: Bitmap?, key: String?, width: Int, height: Int) {
        if (this.before === before && this.after === after) return
        if (this.key != key || this.before == null && this.key == null) viewport.restore(1f, 0.5f, 0.5f)
        this.key = key
        this.before = before
        this.after = after
        details = null
        viewport.picture(width, height)
        moved()
    }

    override fun onSizeChanged(w: Int, h: Int, oldW: Int, oldH: Int) {
        viewport.view(w, h)
        moved()
    }

    override fun onDraw(canvas: Canvas) {
        val before = before ?: return
        val whole = viewport.bounds()
        val after = after
        if (after == null) {
            canvas.drawBitmap(before, null, whole, picturePaint)
            return
        }
        val x = split * width
        drawSide(canvas, 0f, x, before, details?.before, whole)
        drawSide(canvas, x, width.toFloat(), after, details?.after, whole)
        painter.draw(canvas, x)
    }

    private fun drawSide(canvas: Canvas, left: Float, right: Float, picture: Bitmap, detail: Detail?, whole: RectF) {
        canvas.save()
        canvas.clipRect(left, 0f, right, height.toFloat())
        canvas.drawBitmap(picture, null, whole, picturePaint)
        if (detail != null) canvas.drawBitmap(detail.bitmap, null, viewport.toScreen(detail.part), picturePaint)
        canvas.restore()
    }

    /** The divider's handle lies where the back gesture begins and ends. */
    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        super.onLayout(changed, left, top, right, bottom)
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return
        val middle = (height * DividerPainter.HANDLE_AT).roundToInt()
        val half = (GESTURE_DP * resources.displayMetrics.density / 2).roundToInt() // the system grants no more
        systemGestureExclusionRects = listOf(Rect(0, middle - half, width, middle + half))
    }

    override fun performClick(): Boolean {
        super.performClick()
        toggleZoom(width / 2f, height / 2f)
        return true
    }

    private fun toggleZoom(x: Float, y: Float) = zoomBy(if (viewport.zoom > 1f) 1f / viewport.zoom else DOUBLE_TAP_ZOOM, x, y)

    private fun zoomBy(factor: Float, x: Float = width / 2f, y: Float = height / 2f) {
        viewport.zoomBy(factor, x, y)
        moved()
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        pinch.onTouchEvent(event)
        taps.onTouchEvent(event)
        if (event.actionMasked == MotionEvent.ACTION_DOWN) parent?.requestDisallowInterceptTouchEvent(true)
        return true
    }

    override fun onKeyDown(keyCode: Int, event: KeyEvent?): Boolean {
        when (keyCode) {
            KeyEvent.KEYCODE_PLUS, KeyEvent.KEYCODE_EQUALS, KeyEvent.KEYCODE_NUMPAD_ADD, KeyEvent.KEYCODE_ZOOM_IN -> zoomBy(ZOOM_STEP)
            KeyEvent.KEYCODE_MINUS, KeyEvent.KEYCODE_NUMPAD_SUBTRACT, KeyEvent.KEYCODE_ZOOM_OUT -> zoomBy(1 / ZOOM_STEP)
            KeyEvent.KEYCODE_DPAD_LEFT -> if (after == null) return false else split -= STEP
            KeyEvent.KEYCODE_DPAD_RIGHT -> if (after == null) return false else split += STEP
            KeyEvent.KEYCODE_MOVE_HOME -> if (after == null) return false else split = 0f
            KeyEvent.KEYCODE_MOVE_END -> if (after == null) return false else split = 1f
            else -> return super.onKeyDown(keyCode, event)
        }
        return true
    }

    override fun onInitializeAccessibilityNodeInfo(info: AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(info)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction(R.id.action_zoom_in, context.getString(R.string.zoom_in)))
        info.addAction(AccessibilityNodeInfo.AccessibilityAction(R.id.action_zoom_out, context.getString(R.string.zoom_out)))
        if (after == null) return
        info.className = SeekBar::class.java.name
        info.rangeInfo = AccessibilityNodeInfo.RangeInfo.obtain(AccessibilityNodeInfo.RangeInfo.RANGE_TYPE_INT, 0f, 100f, split * 100)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_FORWARD)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_BACKWARD)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SET_PROGRESS)
    }

    override fun performAccessibilityAction(action: Int, arguments: Bundle?): Boolean {
        when (action) {
            R.id.action_zoom_in -> zoomBy(ZOOM_STEP)
            R.id.action_zoom_out -> zoomBy(1 / ZOOM_STEP)
            AccessibilityNodeInfo.ACTION_SCROLL_FORWARD -> if (after == null) return false else split += STEP
            AccessibilityNodeInfo.ACTION_SCROLL_BACKWARD -> if (after == null) return false else split -= STEP
            android.R.id.accessibilityActionSetProgress ->
                if (after == null || arguments == null) return false else split = arguments.getFloat(AccessibilityNodeInfo.ACTION_ARGUMENT_PROGRESS_VALUE) / 100
            else -> return super.performAccessibilityAction(action, arguments)
        }
        return true
    }

    override fun onSaveInstanceState(): Parcelable = Bundle().apply {
        putParcelable("super", super.onSaveInstanceState())
        putString("key", key)
        putFloatArray("place", floatArrayOf(viewport.zoom, viewport.centerX, viewport.centerY, split))
    }

    override fun onRestoreInstanceState(state: Parcelable?) {
        val bundle = state as Bundle
        @Suppress("DEPRECATION") // the typed call needs API 33
        super.onRestoreInstanceState(bundle.getParcelable("super"))
        key = bundle.getString("key")
        val (zoom, x, y, restoredSplit) = bundle.getFloatArray("place")!!.toList()
        viewport.restore(zoom, x, y)
        split = restoredSplit
    }

    override fun onDetachedFromWindow() {
        loader?.stop()
        super.onDetachedFromWindow()
    }

    /** The picture moved: the old details stay until new ones come. */
    private fun moved() {
        invalidate()
        removeCallbacks(loadDetails)
        val preview = after ?: return
        if (width > 0 && viewport.bounds().width() > preview.width) postDelayed(loadDetails, REST_MS)
    }

    private val loadDetails = Runnable {
        val part: Rect = viewport.visible()
        if (!part.isEmpty) loader?.load(part, viewport.scale)
    }

    private companion object {
        const val STEP = 0.1f
        const val DOUBLE_TAP_ZOOM = 3f
        const val ZOOM_STEP = 1.5f
        const val GESTURE_DP = 200
        const val REST_MS = 150L
    }
}
