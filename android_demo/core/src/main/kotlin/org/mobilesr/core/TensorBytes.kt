// Real numbers to the 8-bit integers of quantized tensors and back.
package org.mobilesr.core

/** Applies a tensor's own quantization. */
public object TensorBytes {
    /** [values] as the tensor [spec] stores them, int8 or uint8. */
    public fun quantize(values: FloatArray, spec: TensorSpec): ByteArray {
        val q = quantization(spec)
        val (least, most) = if (spec.type == TensorType.UINT8) 0 to 255 else -128 to 127
        return ByteArray(values.size) { q.quantize(values[it], least, most).toByte() }
    }

    /** The real numbers of [bytes] of the tensor [spec]. */
    public fun dequantize(bytes: ByteArray, spec: TensorSpec): FloatArray {
        val q = quantization(spec)
        val mask = if (spec.type == TensorType.UINT8) 255 else -1
        return FloatArray(bytes.size) { q.dequantize(bytes[it].toInt() and mask) }
    }

    private fun quantization(spec: TensorSpec): Quantization =
        requireNotNull(spec.quantization) { "${spec.name} of type ${spec.type} has no quantization" }
}
