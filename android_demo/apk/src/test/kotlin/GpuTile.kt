// The APK's GPU library on a GPU made of software: one golden tile by one back end.
package org.mobilesr

import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.SelfCheck
import org.mobilesr.core.TensorType
import org.mobilesr.core.TileEngine
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.system.exitProcess

/**
 * Arguments: OPENCL or OPENGL, and the name of a file that ships. Prints what the app's own check says of it; 1 if it fails.
 *
 * How much of the graph was left to the CPU stands in the library's log alone, which tools/check_gpu.sh reads.
 */
fun main(arguments: Array<String>) {
    val (backend, file) = arguments
    val model = ShippedModels.all(setOf(TensorType.FLOAT32)).single { it.card.file == file }
    val start = System.nanoTime()
    val check = ForcedGpu(model, GpuDelegateFactory.Options.GpuBackend.valueOf(backend)).use { engine ->
        println("$file: ready after %.0f s".format((System.nanoTime() - start) / 1e9))
        SelfCheck(model.card.range).check(engine, ShippedModels.golden(model.card))
    }
    println("$file on $backend: $check")
    exitProcess(if (check is org.mobilesr.core.CheckResult.Passed) 0 else 1)
}

/** As `ClassicFactory` makes it, but for one back end alone: on a phone OpenGL is only asked where there is no OpenCL. */
private class ForcedGpu(model: LoadedModel, backend: GpuDelegateFactory.Options.GpuBackend) : TileEngine {
    override val request = EngineRequest(Accelerator.GPU)
    private val delegate = GpuDelegate(
        GpuDelegateFactory.Options().apply {
            setPrecisionLossAllowed(true)
            setInferencePreference(GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
            setForceBackend(backend)
        },
    )
    private val interpreter = Interpreter(model.file, Interpreter.Options().apply { addDelegate(delegate) })
    private val input = buffer(model.shape.input.shape)
    private val output = buffer(model.shape.output.shape)

    override fun run(input: FloatArray): FloatArray {
        this.input.rewind()
        this.input.asFloatBuffer().put(input)
        output.rewind()
        interpreter.run(this.input, output)
        output.rewind()
        return FloatArray(output.capacity() / Float.SIZE_BYTES).also { output.asFloatBuffer().get(it) }
    }

    override fun close() {
        interpreter.close()
        delegate.close()
    }

    private fun buffer(shape: List<Int>) = ByteBuffer.allocateDirect(shape.fold(Float.SIZE_BYTES) { n, side -> n * side }).order(ByteOrder.nativeOrder())
}
