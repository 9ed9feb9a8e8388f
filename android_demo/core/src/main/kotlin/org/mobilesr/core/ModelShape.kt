// Is this file a super-resolution model that the app can run, and if not, why not.
package org.mobilesr.core

/** Why a model file is not taken; the app has one sentence for each. */
public enum class Refusal { DAMAGED, TENSOR_COUNT, DYNAMIC_SHAPE, NOT_RGB, TYPE, QUANTIZATION, SCALE, HALO, CHECKSUM, CARD }

/** The file cannot be used; [detail] is what was found instead. */
public class RefusedModelException(public val reason: Refusal, public val detail: String, cause: Throwable? = null) : Exception("$reason: $detail", cause)

/**
 * A super-resolution network as its tensors show it.
 *
 * @property tileWidth low-resolution pixels
 * @property tileHeight low-resolution pixels
 * @property scale output pixels per input pixel, same in both directions
 */
public data class ModelShape(val input: TensorSpec, val output: TensorSpec, val tileWidth: Int, val tileHeight: Int, val scale: Int) {
    public companion object {
        private const val RANK = 4
        private const val CHANNELS = 3
        private val REAL = setOf(TensorType.FLOAT32)

        /**
         * Checks the tensors of [file] against [types], what the runtime can be fed with.
         *
         * @throws RefusedModelException with the first thing that does not fit
         */
        public fun of(file: TfliteFile, types: Set<TensorType>): ModelShape {
            if (file.inputs.size != 1 || file.outputs.size != 1) {
                refuse(Refusal.TENSOR_COUNT, "${file.inputs.size} / ${file.outputs.size}")
            }
            val input = file.inputs.single().also { check(it, types) }
            val output = file.outputs.single().also { check(it, types) }
            val (_, tileHeight, tileWidth) = input.shape
            val (_, height, width) = output.shape
            val scale = height / tileHeight
            if (scale < 1 || height != tileHeight * scale || width != tileWidth * scale) {
                refuse(Refusal.SCALE, "${tileWidth}x$tileHeight -> ${width}x$height")
            }
            return ModelShape(input, output, tileWidth, tileHeight, scale)
        }

        private fun check(tensor: TensorSpec, types: Set<TensorType>) {
            val shape = tensor.shape.joinToString("x")
            if (tensor.shape.size != RANK) refuse(Refusal.NOT_RGB, shape)
            if (tensor.shape.any { it < 1 }) refuse(Refusal.DYNAMIC_SHAPE, shape)
            if (tensor.shape[0] != 1 || tensor.shape[3] != CHANNELS) refuse(Refusal.NOT_RGB, shape)
            if (tensor.type !in types) refuse(Refusal.TYPE, tensor.type.name.lowercase())
            if (tensor.type !in REAL && (tensor.quantization?.scale ?: 0f) <= 0f) refuse(Refusal.QUANTIZATION, tensor.name)
        }

        private fun refuse(reason: Refusal, detail: String): Nothing = throw RefusedModelException(reason, detail)
    }
}
