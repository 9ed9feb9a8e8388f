// A scroll view that leaves room for its neighbours: the picture above it, the buttons below it.
package org.mobilesr.app

import android.content.Context
import android.util.AttributeSet
import android.widget.ScrollView

/** As high as its content, but at most `panel_percent` of what there is; its layout takes more from it where buttons need it. */
class PanelScroll(context: Context, attributes: AttributeSet?) : ScrollView(context, attributes) {
    private val percent = context.resources.getInteger(R.integer.panel_percent)

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        if (MeasureSpec.getMode(heightMeasureSpec) == MeasureSpec.EXACTLY) return super.onMeasure(widthMeasureSpec, heightMeasureSpec)
        val most = MeasureSpec.getSize(heightMeasureSpec) * percent / 100
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(most, MeasureSpec.AT_MOST))
    }
}
