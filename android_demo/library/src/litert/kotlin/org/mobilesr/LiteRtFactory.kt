// The default runtime: LiteRT's CompiledModel.
package org.mobilesr

import android.content.Context
import android.os.Build
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.NpuAcceleratorProvider
import com.google.ai.edge.litert.TensorBuffer
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineException
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelShape
import org.mobilesr.core.Precision
import org.mobilesr.core.TensorBytes
import org.mobilesr.core.TensorType
import org.mobilesr.core.TileEngine
import org.mobilesr.core.programKey
import java.io.File

/** The runtime of this flavor. */
public fun runtimeFactory(context: Context): EngineFactory = context.applicationContext.let { app ->
    LiteRtFactory(File(app.codeCacheDir, "gpu")) { BuiltinNpuAcceleratorProvider(app) }
}

/**
 * Loads models with LiteRT.
 *
 * @param programs folder of compiled GPU programs
 * @param npuLibraries finds the vendor's libraries for an NPU; null asks for none
 */
public class LiteRtFactory(private val programs: File, private val npuLibraries: (() -> NpuAcceleratorProvider)? = null) : EngineFactory {
    override val runtime: String = "LiteRT CompiledModel"
    override val types: Set<TensorType> = setOf(TensorType.FLOAT32, TensorType.INT8)

    override val accelerators: Set<Accelerator> = Accelerator.entries.filter { it != Accelerator.NPU || npuLibraries != null }.toSet()

    override val fingerprint: String get() = "$runtime $VERSION|${Build.FINGERPRINT}"

    // one for each thread that runs models, never closed: the process ends first
    private val environment = ThreadLocal.withInitial { Environment.create() }

    private val npuEnvironment = ThreadLocal.withInitial { npuLibraries?.let { Environment.create(it()) } }

    override fun create(model: LoadedModel, request: EngineRequest): TileEngine = translated {
        if (request.accelerator == Accelerator.NPU) return@translated onNpu(model, request)
        try {
            val compiled = CompiledModel.create(model.file.path, options(model, request), environment.get()!!)
            LiteRtEngine.of(compiled, model.shape, request)
        } catch (e: LiteRtException) {
            if (request.accelerator == Accelerator.GPU) programs.deleteRecursively()
            throw e
        }
    }

    /**
     * LiteRT adds the CPU to a wish for the NPU by itself, without a word. A compiled file holds nothing that a CPU could run, so it runs
     * on the NPU or not at all.
     */
    private fun onNpu(model: LoadedModel, request: EngineRequest): TileEngine {
        val compiled = model.npu ?: throw EngineException("no file of ${model.card.name} is for the NPU of this phone")
        val environment = npuEnvironment.get()?.takeIf { LiteRtAccelerator.NPU in it.getAvailableAccelerators() }
            ?: throw EngineException("LiteRT finds no libraries for the NPU of this phone")
        return LiteRtEngine.of(CompiledModel.create(compiled.file.path, CompiledModel.Options(LiteRtAccelerator.NPU), environment), model.shape, request)
    }

    /** One accelerator alone: together with the CPU, LiteRT would use the CPU without a word. */
    private fun options(model: LoadedModel, request: EngineRequest): CompiledModel.Options {
        if (request.accelerator == Accelerator.CPU) {
            return CompiledModel.Options(LiteRtAccelerator.CPU).apply {
                if (request.threads > 0) cpuOptions = CompiledModel.CpuOptions(numThreads = request.threads)
            }
        }
        programs.mkdirs()
        return CompiledModel.Options(LiteRtAccelerator.GPU).apply {
            gpuOptions = CompiledModel.GpuOptions(
                precision = when (request.precision) {
                    // 16-bit numbers, 32-bit sums: as fast where the GPU has it, and without the error of long sums
                    Precision.FP16 -> CompiledModel.GpuOptions.Precision.FP16_WITH_FP32_ACCUM
                    Precision.FP32 -> CompiledModel.GpuOptions.Precision.FP32
                },
                serializationDir = programs.path,
                modelCacheKey = programKey(model, request, fingerprint),
                serializeProgramCache = true,
            )
        }
    }

    private companion object {
        /** Of the library; kept equal to gradle/libs.versions.toml by a test. */
        const val VERSION = "2.3.2"
    }
}

/** One compiled model with one input and one output buffer. */
private class LiteRtEngine(
    private val model: CompiledModel,
    private val shape: ModelShape,
    override val request: EngineRequest,
    private val inputs: List<TensorBuffer>,
    private val outputs: List<TensorBuffer>,
) : TileEngine {

    override fun run(input: FloatArray): FloatArray = translated {
        val fed = inputs.single()
        if (shape.input.type == TensorType.INT8) fed.writeInt8(TensorBytes.quantize(input, shape.input)) else fed.writeFloat(input)
        model.run(inputs, outputs)
        val answer = outputs.single()
        if (shape.output.type == TensorType.INT8) TensorBytes.dequantize(answer.readInt8(), shape.output) else answer.readFloat()
    }

    override fun close() {
        (inputs + outputs).forEach { it.close() }
        model.close()
    }

    companion object {
        /** An engine of [model]; if its buffers cannot be had, nothing of it stays in the GPU's memory. */
        fun of(model: CompiledModel, shape: ModelShape, request: EngineRequest): LiteRtEngine {
            val made = ArrayList<TensorBuffer>()
            try {
                val inputs = model.createInputBuffers().also { made += it }
                return LiteRtEngine(model, shape, request, inputs, model.createOutputBuffers())
            } catch (e: LiteRtException) {
                made.forEach { it.close() }
                model.close()
                throw e
            }
        }
    }
}

private inline fun <T> translated(work: () -> T): T = try {
    work()
} catch (e: LiteRtException) {
    throw EngineException(e.message.orEmpty(), e)
}
