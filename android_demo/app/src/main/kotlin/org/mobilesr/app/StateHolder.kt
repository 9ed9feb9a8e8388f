// A value that the worker changes and screens watch.
package org.mobilesr.app

import android.os.Handler
import android.os.Looper
import java.util.concurrent.atomic.AtomicBoolean

/**
 * Holds the newest state. It may be set on any thread; watchers are called on the main thread, and see the
 * newest state only: a hundred changes between two frames are one call.
 */
class StateHolder<T>(initial: T) {
    private val main = Handler(Looper.getMainLooper())
    private val watchers = ArrayList<(T) -> Unit>()
    private val posted = AtomicBoolean(false)

    @Volatile
    var value: T = initial
        set(new) {
            field = new
            if (posted.compareAndSet(false, true)) main.post { tell() }
        }

    /** Calls [watcher] now and after each change, until [unwatch]. Main thread only. */
    fun watch(watcher: (T) -> Unit) {
        watchers += watcher
        watcher(value)
    }

    /** Ends what [watch] began. Main thread only. */
    fun unwatch(watcher: (T) -> Unit) {
        watchers -= watcher
    }

    private fun tell() {
        posted.set(false)
        for (watcher in watchers.toList()) watcher(value)
    }
}
