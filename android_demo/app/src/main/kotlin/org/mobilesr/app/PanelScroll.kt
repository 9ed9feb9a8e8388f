// A scroll view that leaves room for its neighbours: the picture above it, the buttons below it.
package org.mobilesr.app

import android.content.Context
import android.util.AttributeSet
import android.widget.ScrollView

/** As high as its content, but at most half of what there is. */
class PanelScroll(context: Context, attributes: AttributeSet?) : ScrollView(context, attributes) {
    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val most = (MeasureSpec.getSize(heightMeasureSpec) * MOST).toInt()
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(most, MeasureSpec.AT_MOST))
    }

    private companion object {
        const val MOST = 0.5f
    }
}
