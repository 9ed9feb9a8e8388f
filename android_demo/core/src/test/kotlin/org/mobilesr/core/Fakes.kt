// Engines and pictures that tests can see through.
package org.mobilesr.core

import java.io.File
import java.util.Random

/** The shape of a float model with a square tile. */
fun shapeOf(tile: Int, scale: Int): ModelShape {
    fun tensor(name: String, side: Int) = TensorSpec(name, listOf(1, side, side, 3), TensorType.FLOAT32, null)
    return ModelShape(tensor("image", tile), tensor("upscaled", tile * scale), tile, tile, scale)
}

fun cardOf(halo: Int = 0, range: ValueRange = ValueRange.UNIT) =
    ModelCard("fake", "fake.tflite", null, null, null, null, null, halo, range, "float32", null, null, null)

fun modelOf(tile: Int = 8, scale: Int = 2, halo: Int = 0, range: ValueRange = ValueRange.UNIT) = modelOf(shapeOf(tile, scale), halo, range)

fun modelOf(shape: ModelShape, halo: Int, range: ValueRange = ValueRange.UNIT) = LoadedModel(File("fake.tflite"), cardOf(halo, range), shape, "1234")

/** Every pixel different enough from its neighbours that any misplacement shows. */
fun noise(width: Int, height: Int, seed: Long = 1, alpha: Boolean = false): ArrayImage {
    val random = Random(seed)
    return ArrayImage(width, height, IntArray(width * height) { random.nextInt() or if (alpha) 0 else (255 shl 24) })
}

/** Repeats every pixel [shape].scale times in both directions. */
class NearestEngine(private val shape: ModelShape, override val request: EngineRequest = CPU) : TileEngine {
    var closed = false
    private val output = FloatArray(shape.tileWidth * shape.tileHeight * shape.scale * shape.scale * 3)

    override fun run(input: FloatArray): FloatArray {
        val width = shape.tileWidth * shape.scale
        for (i in output.indices) {
            val x = i / 3 % width / shape.scale
            val y = i / 3 / width / shape.scale
            output[i] = input[(y * shape.tileWidth + x) * 3 + i % 3]
        }
        return output
    }

    override fun close() {
        closed = true
    }
}

/** Box blur of [radius] with zeros outside the tile, as a convolution pads: it shows every seam. */
class BlurEngine(private val shape: ModelShape, private val radius: Int) : TileEngine {
    override val request = CPU

    override fun run(input: FloatArray): FloatArray = FloatArray(input.size) { i ->
        val x = i / 3 % shape.tileWidth
        val y = i / 3 / shape.tileWidth
        var sum = 0f
        for (v in maxOf(0, y - radius)..minOf(shape.tileHeight - 1, y + radius)) {
            for (u in maxOf(0, x - radius)..minOf(shape.tileWidth - 1, x + radius)) sum += input[(v * shape.tileWidth + u) * 3 + i % 3]
        }
        sum / ((2 * radius + 1) * (2 * radius + 1))
    }

    override fun close() = Unit
}

/** Answers with whatever [answer] makes of the tile. */
class ScriptedEngine(override val request: EngineRequest, private val answer: (FloatArray) -> FloatArray) : TileEngine {
    var closed = false

    override fun run(input: FloatArray): FloatArray = answer(input)

    override fun close() {
        closed = true
    }
}

val CPU = EngineRequest(Accelerator.CPU)
val GPU = EngineRequest(Accelerator.GPU)

/** Collects the rows of a picture. */
class Collected(private val width: Int, height: Int) : RowSink {
    val pixels = IntArray(width * height)
    var rows = 0

    override fun row(pixels: IntArray, offset: Int) {
        pixels.copyInto(this.pixels, rows++ * width, offset, offset + width)
    }
}

/** Runs [source] through [engine] and gives all pixels back. */
fun upscale(source: PixelSource, engine: TileEngine, shape: ModelShape, halo: Int): ArrayImage {
    val upscaler = Upscaler(source, engine, modelOf(shape, halo))
    val rows = Collected(upscaler.plan.outputWidth, upscaler.plan.outputHeight)
    upscaler.run(rows)
    check(rows.rows == upscaler.plan.outputHeight)
    return ArrayImage(upscaler.plan.outputWidth, upscaler.plan.outputHeight, rows.pixels)
}

/** What [NearestEngine] should give for a whole picture. */
fun nearest(source: ArrayImage, scale: Int): IntArray {
    val width = source.width * scale
    return IntArray(width * source.height * scale) { source.pixels[it / width / scale * source.width + it % width / scale] }
}
