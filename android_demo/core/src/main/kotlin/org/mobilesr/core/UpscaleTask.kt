// One picture from source to finished PNG file, whatever happens on the way.
package org.mobilesr.core

import java.io.File

/**
 * A finished picture.
 *
 * @property ran what really computed it
 * @property fallback why not the GPU, if that was wanted
 */
data class Upscaled(
    val file: File,
    val width: Int,
    val height: Int,
    val ran: EngineRequest,
    val fallback: CheckResult?,
    val tiles: Int,
    val seconds: Double,
) {
    val msPerTile: Double get() = seconds * 1000 / tiles
}

/** Upscales pictures into PNG files with one selected engine. */
class UpscaleTask(private val model: LoadedModel, private val selection: Selection) {
    /**
     * Upscales [source] into [target]; on any failure or cancellation nothing is left of it.
     *
     * Throws what [Upscaler.run] throws, [EngineException] and [java.io.IOException].
     */
    fun run(source: PixelSource, target: File, cancel: CancelToken, progress: (Progress) -> Unit): Upscaled {
        val start = System.nanoTime()
        val upscaler = Upscaler(source, selection.engine, model.shape, model.card.range, model.card.halo)
        val plan = upscaler.plan
        FileResult.write(target) { out ->
            PngWriter(out, plan.outputWidth, plan.outputHeight, source.hasAlpha).use { png ->
                upscaler.run(png, cancel, progress)
                png.finish()
            }
        }
        return Upscaled(
            file = target,
            width = plan.outputWidth,
            height = plan.outputHeight,
            ran = selection.runs,
            fallback = selection.gpuProblem,
            tiles = plan.count,
            seconds = (System.nanoTime() - start) * 1e-9,
        )
    }
}
