// The default runtime: LiteRT's CompiledModel.
package org.mobilesr.app

import android.content.Context
import android.os.Build
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineException
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.ModelShape
import org.mobilesr.core.Precision
import org.mobilesr.core.TensorBytes
import org.mobilesr.core.TensorType
import org.mobilesr.core.TileEngine
import java.io.File

/** The runtime of this flavor. */
fun runtimeFactory(context: Context): EngineFactory = LiteRtFactory(File(context.codeCacheDir, "gpu"))

/** Loads models with LiteRT; compiled GPU programs are kept in [programs]. */
class LiteRtFactory(private val programs: File) : EngineFactory {
    override val runtime = "LiteRT CompiledModel"
    override val types = setOf(TensorType.FLOAT32, TensorType.INT8)

    // made by the first model and never closed: the process ends first
    private val environment by lazy { Environment.create() }

    override fun create(file: File, shape: ModelShape, request: EngineRequest): TileEngine = translated {
        try {
            LiteRtEngine(CompiledModel.create(file.path, options(file, request), environment), shape, request)
        } catch (e: LiteRtException) {
            if (request.accelerator == Accelerator.GPU) programs.deleteRecursively()
            throw e
        }
    }

    /** One accelerator alone: together with the CPU, LiteRT would use the CPU without a word. */
    private fun options(file: File, request: EngineRequest): CompiledModel.Options {
        if (request.accelerator == Accelerator.CPU) {
            return CompiledModel.Options(LiteRtAccelerator.CPU).apply {
                if (request.threads > 0) cpuOptions = CompiledModel.CpuOptions(numThreads = request.threads)
            }
        }
        programs.mkdirs()
        val half = request.precision == Precision.FP16
        return CompiledModel.Options(LiteRtAccelerator.GPU).apply {
            gpuOptions = CompiledModel.GpuOptions(
                precision = if (half) CompiledModel.GpuOptions.Precision.FP16 else CompiledModel.GpuOptions.Precision.FP32,
                serializationDir = programs.path,
                modelCacheKey = listOf(file.name, file.length(), request.precision, Build.FINGERPRINT).joinToString("-").hashCode().toString(16),
                serializeProgramCache = true,
            )
        }
    }
}

/** One compiled model with one input and one output buffer. */
private class LiteRtEngine(
    private val model: CompiledModel,
    private val shape: ModelShape,
    override val request: EngineRequest,
) : TileEngine {
    private val inputs: List<TensorBuffer> = model.createInputBuffers()
    private val outputs: List<TensorBuffer> = model.createOutputBuffers()

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
}

private inline fun <T> translated(work: () -> T): T = try {
    work()
} catch (e: LiteRtException) {
    throw EngineException(e.message.orEmpty(), e)
}
