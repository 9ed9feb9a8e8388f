// Decode -> tile -> infer -> stitch: one picture through one engine, band by band.
package org.mobilesr.core

/** Asked between two tiles: returns at once, or after as long as the device needs to cool down. */
public fun interface Pacer {
    /** Waits if it must, throwing [java.util.concurrent.CancellationException] once [cancel] is set. */
    public fun pace(cancel: CancelToken)

    public companion object {
        /** Never waits. */
        public val NONE: Pacer = Pacer { }
    }
}

/**
 * Enlarges [source] through [engine], holding [bands] bands of the result in memory, see [MemoryPlan.bands].
 *
 * The engine runs on the calling thread. Reading the next tile and writing the last band go on beside it.
 */
public class Upscaler(
    private val source: PixelSource,
    private val engine: TileEngine,
    private val model: LoadedModel,
    private val bands: Int = 2,
) {
    private val shape = model.shape

    /** Windows, bands and the size of the result. */
    public val plan: TilePlan = TilePlan(source.width, source.height, shape.tileWidth, shape.tileHeight, model.halo, shape.scale)

    private val codec = PixelCodec(model.card.range)

    /**
     * Does the work.
     *
     * @param sink gets every row of the result once, top to bottom, on another thread
     * @param progress is told after each tile
     * @throws java.util.concurrent.CancellationException between two tiles, once [cancel] is set
     * @throws BrokenOutputException if the engine answers with NaN or infinity
     */
    public fun run(sink: RowSink, cancel: CancelToken = CancelToken(), pacer: Pacer = Pacer.NONE, progress: (Progress) -> Unit = {}) {
        val meter = ProgressMeter(plan.count)
        TileReader(source, plan, model.card.range).use { tiles ->
            BandWriter(sink, plan.outputWidth, plan.bandHeight * shape.scale, bands).use { writer ->
                plan.rows.forEachIndexed { i, row ->
                    val band = writer.take()
                    for (tile in plan.band(i)) {
                        cancel.check()
                        pacer.pace(cancel)
                        val prepared = tiles.next()
                        place(tile, prepared, infer(tile, prepared), band)
                        progress(meter.tick())
                    }
                    writer.put(band, (row.keepTo - row.keepFrom) * shape.scale)
                }
                writer.finish()
            }
        }
    }

    private fun infer(tile: Tile, prepared: PreparedTile): FloatArray {
        val answer = engine.run(prepared.input)
        if (answer.any { !it.isFinite() }) throw BrokenOutputException(tile.index)
        return answer
    }

    private fun place(tile: Tile, prepared: PreparedTile, answer: FloatArray, band: IntArray) {
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
                band[target++] = if (source.hasAlpha) withAlpha(colour, prepared.pixels, left + x, top + y) else colour
            }
        }
    }

    private fun withAlpha(colour: Int, pixels: IntArray, x: Int, y: Int): Int {
        val alpha = Alpha.bilinear(pixels, shape.tileWidth, shape.tileHeight, shape.scale, x, y)
        return (colour and 0xFFFFFF) or (alpha shl 24)
    }
}

/** The engine answered tile number [tile] with something that is no picture. */
public class BrokenOutputException(public val tile: Int) : Exception("tile $tile came back as NaN or infinity")
