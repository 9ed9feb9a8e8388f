// The C functions of libLiteRt.so that the stand-in calls.
package com.google.ai.edge.litert

import com.sun.jna.Callback
import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.LongByReference
import com.sun.jna.ptr.PointerByReference

/** Every function answers with a status, 0 for success; handles are opaque pointers. */
@Suppress("FunctionName")
internal interface NativeApi : Library {
    fun LiteRtCreateEnvironment(count: Int, options: Pointer?, out: PointerByReference): Int
    fun LiteRtDestroyEnvironment(environment: Pointer)
    fun LiteRtCreateModelFromFile(environment: Pointer, path: String, out: PointerByReference): Int
    fun LiteRtDestroyModel(model: Pointer)
    fun LiteRtGetModelSignature(model: Pointer, index: Long, out: PointerByReference): Int
    fun LiteRtGetNumSignatureInputs(signature: Pointer, out: LongByReference): Int
    fun LiteRtGetNumSignatureOutputs(signature: Pointer, out: LongByReference): Int
    fun LiteRtGetSignatureInputTensorByIndex(signature: Pointer, index: Long, out: PointerByReference): Int
    fun LiteRtGetSignatureOutputTensorByIndex(signature: Pointer, index: Long, out: PointerByReference): Int
    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int
    fun LiteRtCreateOptions(out: PointerByReference): Int
    fun LiteRtDestroyOptions(options: Pointer)
    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, bits: Int): Int
    fun LiteRtCreateOpaqueOptions(name: String, text: Pointer, destroy: Callback, out: PointerByReference): Int
    fun LiteRtAddOpaqueOptions(options: Pointer, opaque: Pointer): Int
    fun LiteRtCreateCompiledModel(environment: Pointer, model: Pointer, options: Pointer, out: PointerByReference): Int
    fun LiteRtDestroyCompiledModel(compiled: Pointer)
    fun LiteRtGetCompiledModelInputBufferRequirements(compiled: Pointer, signature: Long, index: Long, out: PointerByReference): Int
    fun LiteRtGetCompiledModelOutputBufferRequirements(compiled: Pointer, signature: Long, index: Long, out: PointerByReference): Int
    fun LiteRtCreateManagedTensorBufferFromRequirements(environment: Pointer, type: Pointer, requirements: Pointer, out: PointerByReference): Int
    fun LiteRtDestroyTensorBuffer(buffer: Pointer)
    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int
    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int
    fun LiteRtRunCompiledModel(compiled: Pointer, signature: Long, inputs: Long, inputBuffers: Pointer, outputs: Long, outputBuffers: Pointer): Int

    companion object {
        private const val LIBRARY_PROPERTY = "litert.lib"

        /** The library; its path is the system property `litert.lib`, which the build asks Python for. */
        val instance: NativeApi by lazy {
            val path = System.getProperty(LIBRARY_PROPERTY)
                ?: error("set the system property $LIBRARY_PROPERTY to libLiteRt.so of the Python package ai-edge-litert")
            Native.load(path, NativeApi::class.java)
        }

        /** Calls [call] and hands out the pointer that it wrote. */
        fun pointer(what: String, call: NativeApi.(PointerByReference) -> Int): Pointer {
            val out = PointerByReference()
            check(instance.call(out), what)
            return out.value
        }

        fun check(status: Int, what: String) {
            if (status != 0) throw LiteRtException(status, "$what: ${Status.fromCode(status)} ($status)")
        }
    }
}

/** `LiteRtRankedTensorType`: element type, rank and dimensions in 72 bytes. */
internal class RankedType(tensor: Pointer) {
    val memory = Memory(SIZE)

    init {
        NativeApi.check(NativeApi.instance.LiteRtGetRankedTensorType(tensor, memory), "tensor type")
    }

    val elementCount: Int get() = (0 until (memory.getInt(4) and RANK_BITS)).fold(1) { n, i -> n * memory.getInt(8 + 4L * i) }

    private companion object {
        const val SIZE = 72L
        const val RANK_BITS = 0x7f
    }
}
