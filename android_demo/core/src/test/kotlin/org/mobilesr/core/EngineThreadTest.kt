package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

class EngineThreadTest {
    @Test
    fun `its priority is the normal one - below it Android uses the slow cores`() {
        EngineThread().use { assertEquals(Thread.NORM_PRIORITY, it.submit { Thread.currentThread().priority }.get()) }
    }

    @Test
    fun `an error is told, and the thread goes on`() {
        val told = ArrayList<Throwable>()
        EngineThread { told += it }.use { thread ->
            thread.post { throw UnsatisfiedLinkError("16 KB pages") }
            thread.submit { }.get()
            assertEquals("16 KB pages", told.single().message)
        }
    }

    @Test
    fun `a thread that hangs is left behind, what waited goes on`() {
        val hang = CountDownLatch(1)
        val thread = EngineThread()
        val first = thread.submit { Thread.currentThread() to generateSequence { runCatching { hang.await() }.isSuccess }.first { it } }
        val second = thread.submit { Thread.currentThread() }
        thread.abandon()
        val fresh = second.get(30, TimeUnit.SECONDS)
        assertTrue(fresh.isAlive)
        hang.countDown()
        assertNotEquals(fresh, first.get(30, TimeUnit.SECONDS).first)
        thread.close()
    }
}
