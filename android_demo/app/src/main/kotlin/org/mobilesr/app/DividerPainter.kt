// The divider of the comparison: line, handle, and which side is which.
package org.mobilesr.app

import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.util.TypedValue
import android.view.View

/** Draws over the two pictures of [view]. */
class DividerPainter(private val view: View) {
    private val white = view.context.getColor(R.color.on_stage)
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = white
        strokeWidth = dp(2f)
        setShadowLayer(dp(2f), 0f, 0f, view.context.getColor(R.color.label_scrim))
    }
    private val arrow = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = view.context.getColor(R.color.stage)
        style = Paint.Style.STROKE
        strokeWidth = dp(2f)
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
    }
    private val scrim = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = view.context.getColor(R.color.label_scrim) }
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = white
        textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 13f, view.resources.displayMetrics)
    }
    private val before = view.context.getString(R.string.before)
    private val after = view.context.getString(R.string.after)

    /** How near to the line a finger may land to take it, pixels. */
    val reach = dp(28f)

    /** Draws the divider at [x]. */
    fun draw(canvas: Canvas, x: Float) {
        val width = view.width.toFloat()
        val margin = dp(12f)
        val beforeWidth = text.measureText(before) + 2 * dp(PADDING_DP)
        val afterWidth = text.measureText(after) + 2 * dp(PADDING_DP)
        if (x > beforeWidth + 2 * margin) label(canvas, before, margin, beforeWidth)
        if (width - x > afterWidth + 2 * margin) label(canvas, after, width - margin - afterWidth, afterWidth)
        canvas.drawLine(x, 0f, x, view.height.toFloat(), line)
        handle(canvas, x, view.height * HANDLE_AT)
    }

    private fun label(canvas: Canvas, label: String, left: Float, width: Float) {
        val metrics = text.fontMetrics
        val top = dp(12f)
        val height = metrics.descent - metrics.ascent + dp(8f)
        canvas.drawRoundRect(left, top, left + width, top + height, height / 2, height / 2, scrim)
        canvas.drawText(label, left + dp(PADDING_DP), top + dp(4f) - metrics.ascent, text)
    }

    private fun handle(canvas: Canvas, x: Float, y: Float) {
        canvas.drawCircle(x, y, dp(20f), line)
        for (side in floatArrayOf(-1f, 1f)) {
            val tip = x + side * dp(11f)
            val path = Path().apply {
                moveTo(tip - side * dp(5f), y - dp(5f))
                lineTo(tip, y)
                lineTo(tip - side * dp(5f), y + dp(5f))
            }
            canvas.drawPath(path, arrow)
        }
    }

    private fun dp(value: Float) = value * view.resources.displayMetrics.density

    companion object {
        private const val PADDING_DP = 10f

        /** Below the middle, where a thumb is and a face is not. */
        const val HANDLE_AT = 0.75f
    }
}
