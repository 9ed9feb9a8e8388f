// The small public types of the library: accelerators, status codes, handles.
package com.google.ai.edge.litert

/** What a model can be asked to run on. */
enum class Accelerator(val value: Int) { NONE(0), CPU(1), GPU(2), NPU(3) }

/** Status codes, as far as tests meet them. */
enum class Status(val code: Int) {
    Ok(0),
    ErrorInvalidArgument(1),
    ErrorMemoryAllocationFailure(2),
    ErrorRuntimeFailure(3),
    ErrorUnsupported(5),
    ErrorNotFound(6),
    ErrorUnknown(9),
    ErrorFileIO(500),
    ErrorInvalidFlatbuffer(501),
    ErrorCompilation(504),
    ;

    companion object {
        /** The status with this code. */
        fun fromCode(code: Int): Status = entries.firstOrNull { it.code == code } ?: ErrorUnknown
    }
}

/** Any call failed. */
class LiteRtException(private val status: Status, message: String) : Exception(message) {
    constructor(code: Int, message: String) : this(Status.fromCode(code), message)
}

/** Not of the library: what tests look at, and what they let fail. */
object StandIn {
    /** Native things that are not closed yet. */
    val alive = java.util.concurrent.atomic.AtomicInteger()

    /** As on a GPU whose memory is full. */
    @Volatile
    var outputsFail = false
}

/** Something native that has to be closed. */
abstract class JniHandle : AutoCloseable {
    private var destroyed = false

    init {
        StandIn.alive.incrementAndGet()
    }

    /** Frees it; once is enough. */
    final override fun close() {
        if (destroyed) return
        destroyed = true
        StandIn.alive.decrementAndGet()
        destroy()
    }

    protected abstract fun destroy()

    internal fun alive() = check(!destroyed) { "The handle has been destroyed." }
}
