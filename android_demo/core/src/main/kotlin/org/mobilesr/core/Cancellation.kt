// Stopping work that is under way, between two tiles.
package org.mobilesr.core

import java.util.concurrent.CancellationException
import java.util.concurrent.atomic.AtomicBoolean

/** A flag that one thread sets and the worker looks at between tiles. */
public class CancelToken {
    private val flag = AtomicBoolean(false)

    public val isCancelled: Boolean get() = flag.get()

    /** Asks the worker to stop; safe from any thread, any number of times. */
    public fun cancel(): Unit = flag.set(true)

    /** Throws [CancellationException] once [cancel] was called. */
    public fun check() {
        if (isCancelled) throw CancellationException("cancelled")
    }
}
