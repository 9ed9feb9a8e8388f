// One picture from source to finished file, whatever happens on the way.
package org.mobilesr.core

import java.io.File
import java.io.IOException

/**
 * A finished picture.
 *
 * @property ran what really computed it
 * @property notRun what was wished for instead of [ran], and why it does not run
 * @property seconds that the tiles and the file took
 */
public data class Upscaled(
    val file: File,
    val width: Int,
    val height: Int,
    val format: PictureFormat,
    val ran: EngineRequest,
    val notRun: List<NotRun>,
    val tiles: Int,
    val seconds: Double,
) {
    val msPerTile: Double get() = seconds * 1000 / tiles
}

/** The disk has not enough room; bytes. */
public class NotEnoughSpaceException(public val needed: Long, public val available: Long) : IOException("$needed of $available bytes")

/** Upscales pictures into files with one selected engine. */
public class UpscaleTask(
    private val model: LoadedModel,
    private val selection: Selection,
    private val files: PictureFile = PictureFile(),
    private val pacer: Pacer = Pacer.NONE,
) {
    /**
     * Upscales [source] into [target]; on any failure or cancellation nothing is left of it.
     *
     * Throws what [Upscaler.run] throws, [EngineException] and [java.io.IOException].
     *
     * @param size of the file's picture, pixels; at most what the model makes
     * @param extras of the photo for the file
     * @param bands of the result in memory, see [MemoryPlan.bands]
     * @throws NotEnoughSpaceException before the work starts
     */
    public fun run(
        source: PixelSource,
        target: File,
        format: PictureFormat = PictureFormat.PNG,
        quality: Int = 92,
        size: Pair<Int, Int> = source.width * model.shape.scale to source.height * model.shape.scale,
        extras: Extras = Extras(),
        bands: Int = 2,
        cancel: CancelToken = CancelToken(),
        progress: (Progress) -> Unit = {},
    ): Upscaled {
        val start = System.nanoTime()
        val (width, height) = size
        requireSpace(target, Output.mostBytes(width, height, format))
        val upscaler = Upscaler(source, selection.engine, model, bands)
        val plan = upscaler.plan
        files.write(target, PictureSpec(width, height, source.hasAlpha, format, quality, extras)) { rows ->
            val whole = width == plan.outputWidth && height == plan.outputHeight
            val sink = if (whole) rows else ReducingSink(rows, plan.outputWidth, plan.outputHeight, width, height)
            upscaler.run(sink, cancel, pacer, progress)
        }
        return Upscaled(
            file = target,
            width = width,
            height = height,
            format = format,
            ran = selection.runs,
            notRun = selection.notRun,
            tiles = plan.count,
            seconds = (System.nanoTime() - start) * 1e-9,
        )
    }

    /** A folder on a disk that does not tell its room says 0: then there is nothing to judge by. */
    private fun requireSpace(target: File, needed: Long) {
        val available = target.absoluteFile.parentFile?.usableSpace ?: return
        if (available in 1 until needed) throw NotEnoughSpaceException(needed, available)
    }
}
