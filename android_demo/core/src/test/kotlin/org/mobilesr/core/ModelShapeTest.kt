package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import java.nio.ByteBuffer

class ModelShapeTest {
    private val types = setOf(TensorType.FLOAT32, TensorType.INT8)

    @Test
    fun `reads tile and scale off the tensors`() {
        val shape = ModelShape.of(file(listOf(1, 48, 64, 3), listOf(1, 144, 192, 3)), types)
        assertEquals(listOf(64, 48, 3), listOf(shape.tileWidth, shape.tileHeight, shape.scale))
    }

    @Test
    fun `each misfit has its own reason`() {
        val good = listOf(1, 8, 8, 3)
        assertEquals(Refusal.NOT_RGB, refusal(file(listOf(1, 8, 8, 1), good)))
        assertEquals(Refusal.NOT_RGB, refusal(file(listOf(8, 8, 3), good)))
        assertEquals(Refusal.NOT_RGB, refusal(file(listOf(2, 8, 8, 3), good)))
        assertEquals(Refusal.DYNAMIC_SHAPE, refusal(file(listOf(1, -1, -1, 3), good)))
        assertEquals(Refusal.SCALE, refusal(file(good, listOf(1, 16, 24, 3))))
        assertEquals(Refusal.SCALE, refusal(file(good, listOf(1, 4, 4, 3))))
        assertEquals(Refusal.SCALE, refusal(file(good, listOf(1, 12, 12, 3))))
        assertEquals(Refusal.TYPE, refusal(file(good, good, TensorType.UINT8)))
        assertEquals(Refusal.QUANTIZATION, refusal(file(good, good, TensorType.INT8)))
        assertEquals(Refusal.TENSOR_COUNT, refusal(TfliteFile(emptyList(), emptyList(), null)))
    }

    @Test
    fun `things that are no model are damaged`() {
        for (bytes in listOf(ByteArray(0), ByteArray(100), "<html>no such file</html>".toByteArray(), "1234TFL3".toByteArray())) {
            assertThrows(DamagedFileException::class.java) { TfliteFile.read(ByteBuffer.wrap(bytes)) }
        }
    }

    @Test
    fun `quantization rounds half to even and clips`() {
        val q = Quantization(scale = 0.5f, zeroPoint = -1)
        assertEquals(1, q.quantize(1.1f, -128, 127))
        assertEquals(-1, q.quantize(0.25f, -128, 127))
        assertEquals(127, q.quantize(1e6f, -128, 127))
        assertEquals(-128, q.quantize(-1e6f, -128, 127))
        assertEquals(1.0f, q.dequantize(1), 0f)
    }

    private fun refusal(file: TfliteFile) = assertThrows(RefusedModelException::class.java) { ModelShape.of(file, types) }.reason

    private fun file(input: List<Int>, output: List<Int>, type: TensorType = TensorType.FLOAT32) =
        TfliteFile(listOf(TensorSpec("image", input, type, null)), listOf(TensorSpec("upscaled", output, type, null)), null)
}
