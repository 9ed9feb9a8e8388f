// A driver of a GPU or an NPU may take the process with it, or never come back: this remembers that it was being tried.
package org.mobilesr.core

import java.io.File
import java.io.IOException
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledFuture
import java.util.concurrent.TimeUnit

/** How the last trial of a driver ended, if not with an answer. */
public enum class BadTrial { CRASHED, HUNG }

/**
 * Keeps a note in [file] while a program for a GPU or an NPU is compiled and checked.
 *
 * A note that is still there when the next process looks means that the driver crashed the last one; it is then not
 * asked again for the same model, accelerator, runtime and system until [forget] is called.
 *
 * @param limitMs milliseconds after which a trial counts as hanging
 * @param onHung called once, on a thread of its own, when a trial passes the limit
 */
public class GpuTrial(private val file: File, private val limitMs: Long = LIMIT_MS, private val onHung: () -> Unit = {}) {
    private var running: Trial? = null

    /** One trial under way. */
    public inner class Trial internal constructor(internal val key: String) : AutoCloseable {
        private val alarm: ScheduledFuture<*> = timer.schedule({ hung() }, limitMs, TimeUnit.MILLISECONDS)

        /** The driver answered, well or badly: no crash. */
        override fun close() {
            alarm.cancel(false)
            synchronized(this@GpuTrial) {
                if (running !== this) return // given up long ago; the note stays
                running = null
                write(notes() - key)
            }
        }

        private fun hung() {
            synchronized(this@GpuTrial) {
                if (running !== this) return
                running = null
                write(notes() + (key to BadTrial.HUNG))
            }
            onHung()
        }
    }

    /** Notes that [key] is being tried; close the answer as soon as the driver has answered. */
    @Synchronized
    public fun begin(key: String): Trial {
        write(notes() - key + (key to BadTrial.CRASHED))
        return Trial(key).also { running = it }
    }

    /** What the last trial of [key] came to, null if there is nothing against it. */
    @Synchronized
    public fun badTrial(key: String): BadTrial? = if (running?.key == key) null else notes()[key]

    /** Gives every driver another chance. */
    @Synchronized
    public fun forget() {
        if (running == null) file.delete()
    }

    /** One line a program: its key and how it ended, the oldest first. */
    private fun notes(): Map<String, BadTrial> {
        val lines = try {
            file.readLines()
        } catch (_: IOException) {
            return emptyMap() // no notes
        }
        return lines.mapNotNull { line ->
            BadTrial.entries.firstOrNull { line.endsWith(" ${it.name}") }?.let { line.removeSuffix(" ${it.name}") to it }
        }.toMap()
    }

    private fun write(notes: Map<String, BadTrial>) {
        try {
            if (notes.isEmpty()) file.delete() else file.writeText(notes.entries.toList().takeLast(MOST).joinToString("") { "${it.key} ${it.value}\n" })
        } catch (_: IOException) {
            // a full disk: the trial goes on without its note
        }
    }

    public companion object {
        /** Compiling takes 1 to 15 seconds on the phones we know of. */
        public const val LIMIT_MS: Long = 90_000L

        /** Programs of older models and systems are never asked about again. */
        private const val MOST = 16
        private val timer = Executors.newSingleThreadScheduledExecutor { Thread(it, "gpu watchdog").apply { isDaemon = true } }
    }
}
