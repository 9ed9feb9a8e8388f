// The second runtime: TensorFlow Lite's Interpreter with its GPU delegate.
package org.mobilesr

import android.content.Context
import android.os.Build
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineException
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelShape
import org.mobilesr.core.Precision
import org.mobilesr.core.TensorBytes
import org.mobilesr.core.TensorSpec
import org.mobilesr.core.TensorType
import org.mobilesr.core.TileEngine
import org.mobilesr.core.programKey
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The runtime of this flavor. */
public fun runtimeFactory(context: Context): EngineFactory = ClassicFactory(File(context.codeCacheDir, "gpu"))

/** Loads models with the Interpreter; compiled GPU programs are kept in [programs]. */
public class ClassicFactory(private val programs: File) : EngineFactory {
    override val runtime: String = "TensorFlow Lite Interpreter"
    override val types: Set<TensorType> = setOf(TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8)

    override val fingerprint: String get() = "$runtime ${TensorFlowLite.runtimeVersion()}|${Build.FINGERPRINT}"

    override fun create(model: LoadedModel, request: EngineRequest): TileEngine = translated {
        if (request.accelerator == Accelerator.NPU) throw EngineException("this runtime knows no NPU")
        val delegate = if (request.accelerator == Accelerator.GPU) gpu(model, request) else null
        try {
            ClassicEngine(Interpreter(model.file, options(request, delegate)), delegate, model.shape, request)
        } catch (e: RuntimeException) {
            delegate?.close()
            programs.deleteRecursively()
            throw e
        }
    }

    private fun options(request: EngineRequest, delegate: GpuDelegate?) = Interpreter.Options().apply {
        if (delegate != null) addDelegate(delegate) else setUseXNNPACK(true)
        if (request.threads > 0) setNumThreads(request.threads)
    }

    private fun gpu(model: LoadedModel, request: EngineRequest): GpuDelegate {
        if (!CompatibilityList().use { it.isDelegateSupportedOnThisDevice }) throw EngineException("the GPU of this device is not supported")
        programs.mkdirs()
        val options = GpuDelegateFactory.Options().apply {
            setPrecisionLossAllowed(request.precision == Precision.FP16)
            setInferencePreference(GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
            setSerializationParams(programs.path, programKey(model, request, fingerprint))
        }
        return GpuDelegate(options)
    }
}

/** One interpreter with one input and one output buffer. */
private class ClassicEngine(
    private val interpreter: Interpreter,
    private val delegate: GpuDelegate?,
    private val shape: ModelShape,
    override val request: EngineRequest,
) : TileEngine {
    private val input = buffer(shape.input)
    private val output = buffer(shape.output)

    override fun run(input: FloatArray): FloatArray = translated {
        this.input.rewind()
        if (shape.input.type == TensorType.FLOAT32) this.input.asFloatBuffer().put(input) else this.input.put(TensorBytes.quantize(input, shape.input))
        this.input.rewind()
        output.rewind()
        interpreter.run(this.input, output)
        output.rewind()
        read()
    }

    private fun read(): FloatArray = if (shape.output.type == TensorType.FLOAT32) {
        FloatArray(output.capacity() / Float.SIZE_BYTES).also { output.asFloatBuffer().get(it) }
    } else {
        TensorBytes.dequantize(ByteArray(output.capacity()).also { output.get(it) }, shape.output)
    }

    override fun close() {
        interpreter.close()
        delegate?.close()
    }

    private fun buffer(tensor: TensorSpec): ByteBuffer {
        val bytes = tensor.shape.fold(if (tensor.type == TensorType.FLOAT32) Float.SIZE_BYTES else 1) { n, side -> n * side }
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
    }
}

/** The library's failures are all unchecked. */
private inline fun <T> translated(work: () -> T): T = try {
    work()
} catch (e: IllegalArgumentException) {
    throw EngineException(e.message.orEmpty(), e)
} catch (e: IllegalStateException) {
    throw EngineException(e.message.orEmpty(), e)
} catch (e: UnsupportedOperationException) {
    throw EngineException(e.message.orEmpty(), e)
}
