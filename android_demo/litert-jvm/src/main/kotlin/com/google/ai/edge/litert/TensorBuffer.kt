// An input or output of a compiled model.
package com.google.ai.edge.litert

import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference

/** Native memory of one tensor, written and read as whole arrays. */
class TensorBuffer internal constructor(internal val handle: Pointer, private val elements: Int) : JniHandle() {
    /** Fills the tensor. */
    fun writeFloat(data: FloatArray) = locked(WRITE) { it.write(0, data, 0, data.size) }

    /** Fills the tensor. */
    fun writeInt8(data: ByteArray) = locked(WRITE) { it.write(0, data, 0, data.size) }

    /** All values. */
    fun readFloat(): FloatArray = locked(READ) { it.getFloatArray(0, elements) }

    /** All values. */
    fun readInt8(): ByteArray = locked(READ) { it.getByteArray(0, elements) }

    override fun destroy() = NativeApi.instance.LiteRtDestroyTensorBuffer(handle)

    private fun <T> locked(mode: Int, use: (Pointer) -> T): T {
        alive()
        val address = PointerByReference()
        NativeApi.check(NativeApi.instance.LiteRtLockTensorBuffer(handle, address, mode), "lock")
        return try {
            use(address.value)
        } finally {
            NativeApi.check(NativeApi.instance.LiteRtUnlockTensorBuffer(handle), "unlock")
        }
    }

    private companion object {
        const val READ = 0
        const val WRITE = 1
    }
}
