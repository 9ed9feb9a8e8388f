// The one thread that creates, runs and closes engines; GPU back ends refuse any other.
package org.mobilesr.core

import java.util.concurrent.Callable
import java.util.concurrent.Executors
import java.util.concurrent.Future

/** Runs everything handed to it one after the other, always on the same thread. */
class EngineThread(name: String = "engine") : AutoCloseable {
    private val executor = Executors.newSingleThreadExecutor { work ->
        Thread(work, name).apply {
            isDaemon = true
            priority = Thread.NORM_PRIORITY - 1
        }
    }

    /** Queues [work]. */
    fun <T> submit(work: () -> T): Future<T> = executor.submit(Callable { work() })

    /** Lets queued work end, takes no more. */
    override fun close() = executor.shutdown()
}
