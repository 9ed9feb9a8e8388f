// Decode -> tile -> infer -> stitch: one picture through one engine, band by band.
package org.mobilesr.core

/**
 * Enlarges [source] through [engine], holding one band of the result in memory.
 *
 * @property halo low-resolution pixels around each kept part that are computed and thrown away
 */
class Upscaler(
    private val source: PixelSource,
    private val engine: TileEngine,
    private val shape: ModelShape,
    range: ValueRange,
    halo: Int,
) {
    /** Windows, bands and the size of the result. */
    val plan = TilePlan(source.width, source.height, shape.tileWidth, shape.tileHeight, halo, shape.scale)

    private val codec = PixelCodec(range)
    private val window = WindowReader(source, shape.tileWidth, shape.tileHeight)
    private val input = FloatArray(shape.tileWidth * shape.tileHeight * 3)
    private val band = IntArray(Math.multiplyExact(plan.outputWidth, plan.bandHeight * shape.scale))

    /**
     * Does the work on the calling thread.
     *
     * @param sink gets every row of the result once, top to bottom
     * @param progress is told after each tile
     * @throws java.util.concurrent.CancellationException between two tiles, once [cancel] is set
     * @throws BrokenOutputException if the engine answers with NaN or infinity
     */
    fun run(sink: RowSink, cancel: CancelToken = CancelToken(), progress: (Progress) -> Unit = {}) {
        val meter = ProgressMeter(plan.count)
        plan.rows.forEachIndexed { i, row ->
            for (tile in plan.band(i)) {
                cancel.check()
                place(tile, infer(tile))
                progress(meter.tick())
            }
            for (y in 0 until (row.keepTo - row.keepFrom) * shape.scale) sink.row(band, y * plan.outputWidth)
        }
    }

    private fun infer(tile: Tile): FloatArray {
        window.read(tile.column.start, tile.row.start)
        if (source.hasAlpha) Alpha.bleed(window.pixels, shape.tileWidth, shape.tileHeight)
        codec.encode(window.pixels, window.pixels.size, input)
        val answer = engine.run(input)
        if (answer.any { !it.isFinite() }) {
            throw BrokenOutputException(tile.index)
        }
        return answer
    }

    private fun place(tile: Tile, answer: FloatArray) {
        val scale = shape.scale
        val stride = shape.tileWidth * scale
        val left = (tile.column.keepFrom - tile.column.start) * scale
        val top = (tile.row.keepFrom - tile.row.start) * scale
        val width = (tile.column.keepTo - tile.column.keepFrom) * scale
        val height = (tile.row.keepTo - tile.row.keepFrom) * scale
        for (y in 0 until height) {
            var target = y * plan.outputWidth + tile.column.keepFrom * scale
            for (x in 0 until width) {
                val colour = codec.decode(answer, ((top + y) * stride + left + x) * 3)
                band[target++] = if (source.hasAlpha) withAlpha(colour, left + x, top + y) else colour
            }
        }
    }

    private fun withAlpha(colour: Int, x: Int, y: Int): Int {
        val alpha = Alpha.bilinear(window.pixels, shape.tileWidth, shape.tileHeight, shape.scale, x, y)
        return (colour and 0xFFFFFF) or (alpha shl 24)
    }
}

/** The engine answered tile number [tile] with something that is no picture. */
class BrokenOutputException(val tile: Int) : Exception("tile $tile came back as NaN or infinity")
