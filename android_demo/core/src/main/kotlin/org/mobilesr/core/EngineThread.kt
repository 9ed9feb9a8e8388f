// The one thread that creates, runs and closes engines; GPU back ends refuse any other.
package org.mobilesr.core

import java.util.concurrent.Callable
import java.util.concurrent.Future
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/**
 * Runs everything handed to it one after the other, always on the same thread.
 *
 * Its priority is the normal one: Android moves threads below it to the background cores, and the runtime's own
 * threads inherit that.
 *
 * @param onUncaught is told of whatever [post]ed work throws, errors of the virtual machine included
 */
public class EngineThread(private val name: String = "engine", private val onUncaught: (Throwable) -> Unit = {}) : AutoCloseable {
    private var executor = start()

    /** Queues [work]; what it throws is in the future. */
    @Synchronized
    public fun <T> submit(work: () -> T): Future<T> = executor.submit(Callable { work() })

    /** Queues [work] whose result nobody waits for. */
    public fun post(work: () -> Unit) {
        submit {
            try {
                work()
            } catch (e: Throwable) {
                onUncaught(e)
            }
        }
    }

    /** Leaves a thread that hangs to itself; what was queued behind it goes on on a fresh one. */
    @Synchronized
    public fun abandon() {
        val waiting = executor.shutdownNow()
        executor = start()
        waiting.forEach { executor.execute(it) }
    }

    /** Lets queued work end, takes no more. */
    @Synchronized
    override fun close(): Unit = executor.shutdown()

    private fun start() = ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, LinkedBlockingQueue()) { work ->
        Thread(work, name).apply { isDaemon = true }
    }
}
