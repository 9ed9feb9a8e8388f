// The one small interface between the app and whatever runs a .tflite file.
package org.mobilesr.core

import java.security.MessageDigest

/** The hardware that a model is asked to run on; the NPU runs only files that were compiled for its very SoC ([LoadedModel.npu]). */
public enum class Accelerator { NPU, GPU, CPU }

/** Arithmetic of the GPU; the CPU always computes in the model's own precision. */
public enum class Precision { FP16, FP32 }

/**
 * What somebody wishes to run on.
 *
 * @property threads CPU threads; 0 leaves it to the runtime, which takes one
 */
public data class EngineRequest(
    val accelerator: Accelerator,
    val precision: Precision = Precision.FP16,
    val threads: Int = 0,
)

/**
 * A loaded model. Made, used and closed on one thread ([EngineThread]).
 *
 * @see EngineFactory
 */
public interface TileEngine : AutoCloseable {
    /** What this engine really runs on; never more than was verified. */
    public val request: EngineRequest

    /**
     * Runs one tile.
     *
     * @param input RGB, row-major, in the model's range, exactly one tile
     * @return RGB of the enlarged tile in the model's range; an engine may reuse the array in the next call
     */
    public fun run(input: FloatArray): FloatArray
}

/** Loads models with one particular runtime. */
public interface EngineFactory {
    /** Name and kind of the runtime, as shown to people. */
    public val runtime: String

    /** Tensor types that this runtime can be fed with. */
    public val types: Set<TensorType>

    /** What this runtime can ask for at all; whether it gets it is found out by trying. */
    public val accelerators: Set<Accelerator> get() = setOf(Accelerator.GPU, Accelerator.CPU)

    /** Runtime and system, as exactly as a compiled GPU program depends on them. */
    public val fingerprint: String

    /**
     * Loads [model] for exactly what [request] says: asked for the GPU or the NPU it must fail, not use the CPU.
     *
     * @throws EngineException if the runtime refuses
     */
    public fun create(model: LoadedModel, request: EngineRequest): TileEngine
}

/** The runtime refused to load or to run a model; the message is the runtime's own. */
public class EngineException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** Names a compiled program: another model, accelerator, precision, runtime or system is another program. */
public fun programKey(model: LoadedModel, request: EngineRequest, fingerprint: String): String {
    val program = if (request.accelerator == Accelerator.NPU) model.npu?.sha256 else request.precision
    val text = listOf(model.sha256, request.accelerator, program, fingerprint).joinToString("|")
    return MessageDigest.getInstance("SHA-256").digest(text.toByteArray()).joinToString("") { "%02x".format(it) }
}
