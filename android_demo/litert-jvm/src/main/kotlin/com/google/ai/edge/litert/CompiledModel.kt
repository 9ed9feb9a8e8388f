// A model compiled for an accelerator: the same calls as in Google's library, on the JVM.
package com.google.ai.edge.litert

import com.sun.jna.Callback
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer

/** A loaded model. Not safe for several threads. */
class CompiledModel private constructor(
    private val environment: Environment,
    private val ownsEnvironment: Boolean,
    private val model: Pointer,
    private val options: NativeOptions,
    private val compiled: Pointer,
) : JniHandle() {
    private val signature = NativeApi.pointer("signature") { LiteRtGetModelSignature(model, 0, it) }

    /** How to compile a model. */
    class Options(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(accelerators.toSet())

        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null

        companion object {
            val CPU = Options(Accelerator.CPU)
        }
    }

    /** Settings of the CPU. */
    data class CpuOptions(val numThreads: Int? = null, val xnnPackFlags: Int? = null, val xnnPackWeightCachePath: String? = null)

    /** Settings of the GPU, those that the app uses; there is no GPU behind the stand-in. */
    data class GpuOptions(
        val precision: Precision? = null,
        val serializationDir: String? = null,
        val modelCacheKey: String? = null,
        val serializeProgramCache: Boolean? = null,
    ) {
        /** Arithmetic on the GPU. */
        enum class Precision { DEFAULT, FP16, FP32, FP16_WITH_FP32_ACCUM }
    }

    /** One buffer for each input. */
    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = listOf(
        buffer(
            NativeApi.pointer("input") { LiteRtGetSignatureInputTensorByIndex(signature, 0, it) },
            NativeApi.pointer("input requirements") { LiteRtGetCompiledModelInputBufferRequirements(compiled, signatureIndex.toLong(), 0, it) },
        ),
    )

    /** One buffer for each output. */
    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = if (StandIn.outputsFail) throw LiteRtException(2, "no memory") else listOf(
        buffer(
            NativeApi.pointer("output") { LiteRtGetSignatureOutputTensorByIndex(signature, 0, it) },
            NativeApi.pointer("output requirements") { LiteRtGetCompiledModelOutputBufferRequirements(compiled, signatureIndex.toLong(), 0, it) },
        ),
    )

    /** Runs the model. */
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0) {
        alive()
        val status = NativeApi.instance.LiteRtRunCompiledModel(
            compiled, signatureIndex.toLong(), inputs.size.toLong(), array(inputs), outputs.size.toLong(), array(outputs),
        )
        NativeApi.check(status, "run")
    }

    override fun destroy() {
        NativeApi.instance.LiteRtDestroyCompiledModel(compiled)
        options.close()
        NativeApi.instance.LiteRtDestroyModel(model)
        if (ownsEnvironment) environment.close()
    }

    private fun buffer(tensor: Pointer, requirements: Pointer): TensorBuffer {
        alive()
        val type = RankedType(tensor)
        val handle = NativeApi.pointer("buffer") {
            LiteRtCreateManagedTensorBufferFromRequirements(environment.handle, type.memory, requirements, it)
        }
        return TensorBuffer(handle, type.elementCount)
    }

    private fun array(buffers: List<TensorBuffer>) = Memory(Native.POINTER_SIZE.toLong() * buffers.size).apply {
        buffers.forEachIndexed { i, buffer -> setPointer(Native.POINTER_SIZE.toLong() * i, buffer.handle) }
    }

    companion object {
        /** Loads the model at [filePath]. */
        @JvmStatic
        fun create(filePath: String, options: Options = Options.CPU, optionalEnv: Environment? = null): CompiledModel {
            val environment = optionalEnv ?: Environment.create()
            var model: Pointer? = null
            var settings: NativeOptions? = null
            try {
                model = NativeApi.pointer("model") { LiteRtCreateModelFromFile(environment.handle, filePath, it) }
                settings = NativeOptions(options)
                val compiled = NativeApi.pointer("compile") { LiteRtCreateCompiledModel(environment.handle, model, settings.handle, it) }
                return CompiledModel(environment, optionalEnv == null, model, settings, compiled)
            } catch (e: LiteRtException) {
                settings?.close()
                model?.let { NativeApi.instance.LiteRtDestroyModel(it) }
                if (optionalEnv == null) environment.close()
                throw e
            }
        }
    }
}

/** Called by the library when it no longer needs the text of an option. */
internal fun interface Destroyer : Callback {
    fun destroy(text: Pointer?)
}

/** The C side of [CompiledModel.Options]. */
internal class NativeOptions(options: CompiledModel.Options) : AutoCloseable {
    val handle: Pointer = NativeApi.pointer("options") { LiteRtCreateOptions(it) }

    // kept until close: the library holds on to both
    private val text: Memory?
    private val keep = Destroyer { }

    init {
        val bits = options.accelerators.sumOf { accelerator -> if (accelerator == Accelerator.NONE) 0 else 1 shl accelerator.value - 1 }
        NativeApi.check(NativeApi.instance.LiteRtSetOptionsHardwareAccelerators(handle, bits), "accelerators")
        text = options.cpuOptions?.numThreads?.let { threads ->
            "num_threads = $threads\n".let { toml -> Memory(toml.length + 1L).apply { setString(0, toml) } }
        }
        if (text != null) {
            val opaque = NativeApi.pointer("CPU options") { LiteRtCreateOpaqueOptions("xnnpack", text, keep, it) }
            NativeApi.check(NativeApi.instance.LiteRtAddOpaqueOptions(handle, opaque), "add CPU options")
        }
    }

    override fun close() = NativeApi.instance.LiteRtDestroyOptions(handle)
}
