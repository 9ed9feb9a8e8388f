// Content under the system bars, controls clear of them.
package org.mobilesr.app

import android.app.Activity
import android.os.Build
import android.view.View
import android.view.WindowInsets

/**
 * Lays the window out under the system bars and pads [root] by them, by cutouts and by the keyboard.
 *
 * Android 15 does the first by itself for apps that target it; older versions are told to.
 */
fun Activity.edgeToEdge(root: View) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
        window.setDecorFitsSystemWindows(false)
        root.setOnApplyWindowInsetsListener { view, insets ->
            val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime())
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
            WindowInsets.CONSUMED
        }
    } else {
        root.fitsSystemWindows = true
    }
}

/** Shows [this] if [visible], else takes it out of the layout. */
fun View.show(visible: Boolean) {
    visibility = if (visible) View.VISIBLE else View.GONE
}
