// What a .tflite file says about itself: tensors, signature, quantization and our metadata.
package org.mobilesr.core

import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** Element types of TFLite tensors that can occur at a model's ends, by their number in the schema. */
public enum class TensorType(public val code: Int) {
    FLOAT32(0), FLOAT16(1), INT32(2), UINT8(3), INT64(4), INT16(7), INT8(9), OTHER(-1);

    public companion object {
        /** The type with the schema's number [code]. */
        public fun of(code: Int): TensorType = entries.firstOrNull { it.code == code } ?: OTHER
    }
}

/** Real value = ([q] - [zeroPoint]) * [scale]. */
public data class Quantization(val scale: Float, val zeroPoint: Int) {
    /** The stored integer of a real [value], clipped to [least]..[most]. */
    public fun quantize(value: Float, least: Int, most: Int): Int = (Math.rint((value / scale).toDouble()).toInt() + zeroPoint).coerceIn(least, most)

    /** The real value of the stored integer [q]. */
    public fun dequantize(q: Int): Float = (q - zeroPoint) * scale
}

/** One input or output tensor; [quantization] is null for tensors of real numbers. */
public data class TensorSpec(val name: String, val shape: List<Int>, val type: TensorType, val quantization: Quantization?)

/**
 * The parts of a .tflite file that the app needs.
 *
 * @property metadata the text of the buffer `mobile_sr`, null in files from elsewhere
 */
public data class TfliteFile(val inputs: List<TensorSpec>, val outputs: List<TensorSpec>, val metadata: String?) {
    public companion object {
        private const val IDENTIFIER = "TFL3"
        private const val METADATA = "mobile_sr"

        /** Reads [file]. @throws DamagedFileException if it is no TFLite file, cut off or damaged */
        public fun read(file: File): TfliteFile = RandomAccessFile(file, "r").use { open ->
            if (open.length() > Int.MAX_VALUE) throw DamagedFileException("larger than 2 GB")
            read(open.channel.map(FileChannel.MapMode.READ_ONLY, 0, open.length()))
        }

        /** Reads a file's [data]. @throws DamagedFileException as above */
        public fun read(data: ByteBuffer): TfliteFile {
            if (data.limit() < 8) throw DamagedFileException("${data.limit()} bytes are no model")
            val identifier = String(ByteArray(4) { data.get(4 + it) }, Charsets.US_ASCII)
            if (identifier != IDENTIFIER) throw DamagedFileException("no TFLite file (identifier \"${identifier.filter { it in ' '..'~' }}\")")
            val model = FlatTable.root(data)
            val buffers = model.tables(Model.BUFFERS)
            buffers.forEach { requireInside(it, data.limit()) }
            val graph = model.tables(Model.SUBGRAPHS).firstOrNull() ?: throw DamagedFileException("no graph inside")
            graph.tables(Graph.OPERATORS).forEach { it.ints(Operator.INPUTS) }
            val tensors = graph.tables(Graph.TENSORS)
            fun specs(indices: List<Int>) = indices.map { i ->
                spec(tensors.getOrNull(i) ?: throw DamagedFileException("tensor $i of ${tensors.size}"))
            }
            return TfliteFile(specs(graph.ints(Graph.INPUTS)), specs(graph.ints(Graph.OUTPUTS)), metadata(model, buffers))
        }

        private fun requireInside(buffer: FlatTable, size: Int) {
            buffer.byteCount(Buffer.DATA)
            val end = buffer.long(Buffer.OFFSET) + buffer.long(Buffer.SIZE)
            if (end > size) throw DamagedFileException("the weights end at byte $end of $size")
        }

        private fun spec(tensor: FlatTable): TensorSpec {
            val quantization = tensor.table(Tensor.QUANTIZATION)?.let { q ->
                val scale = q.floats(QuantizationTable.SCALE).firstOrNull()
                scale?.let { Quantization(it, q.longs(QuantizationTable.ZERO_POINT).firstOrNull()?.toInt() ?: 0) }
            }
            return TensorSpec(
                name = tensor.text(Tensor.NAME).orEmpty(),
                shape = tensor.ints(Tensor.SHAPE_SIGNATURE).ifEmpty { tensor.ints(Tensor.SHAPE) },
                type = TensorType.of(tensor.byte(Tensor.TYPE)),
                quantization = quantization,
            )
        }

        private fun metadata(model: FlatTable, buffers: List<FlatTable>): String? =
            model.tables(Model.METADATA)
                .firstOrNull { it.text(Metadata.NAME) == METADATA }
                ?.let { buffers.getOrNull(it.int(Metadata.BUFFER)) }
                ?.bytes(Buffer.DATA)
                ?.toString(Charsets.UTF_8)
                ?.trimEnd('\u0000')
    }
}

// Field numbers of TensorFlow Lite's schema.fbs.
private object Model {
    const val SUBGRAPHS = 2
    const val BUFFERS = 4
    const val METADATA = 6
}

private object Graph {
    const val TENSORS = 0
    const val INPUTS = 1
    const val OUTPUTS = 2
    const val OPERATORS = 3
}

private object Tensor {
    const val SHAPE = 0
    const val TYPE = 1
    const val NAME = 3
    const val QUANTIZATION = 4
    const val SHAPE_SIGNATURE = 7
}

private object QuantizationTable {
    const val SCALE = 2
    const val ZERO_POINT = 3
}

private object Operator {
    const val INPUTS = 1
}

private object Buffer {
    const val DATA = 0
    const val OFFSET = 1
    const val SIZE = 2
}

private object Metadata {
    const val NAME = 0
    const val BUFFER = 1
}
