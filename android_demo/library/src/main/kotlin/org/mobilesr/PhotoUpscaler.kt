// One photo through one network: which tile, how it is read, what its file is to be.
package org.mobilesr

import android.app.ActivityManager
import android.content.Context
import android.graphics.Bitmap
import org.mobilesr.core.CancelToken
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.FreeMemory
import org.mobilesr.core.GpuTrial
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.MemoryPlan
import org.mobilesr.core.NotEnoughMemoryException
import org.mobilesr.core.Output
import org.mobilesr.core.Pacer
import org.mobilesr.core.PictureFile
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.Progress
import org.mobilesr.core.Selection
import org.mobilesr.core.UpscaleTask
import org.mobilesr.core.Upscaled
import org.mobilesr.core.Upscaler
import java.io.File

/** Bytes that the app and the device can still give. */
public fun freeMemory(context: Context): FreeMemory {
    val info = ActivityManager.MemoryInfo()
    context.getSystemService(ActivityManager::class.java)!!.getMemoryInfo(info)
    val heap = Runtime.getRuntime().let { it.maxMemory() - it.totalMemory() + it.freeMemory() }
    return FreeMemory(heap, info.availMem - info.threshold)
}

/**
 * Upscales photos with [usable], keeping one engine for as long as the tile stays the same. Made, used and closed on the
 * [org.mobilesr.core.EngineThread].
 *
 * @param trial remembers GPUs that took the process with them
 */
public class PhotoUpscaler(
    private val context: Context,
    private val runtime: EngineFactory,
    private val models: ModelStore,
    private val usable: UsableModel,
    private val request: EngineRequest,
    private val trial: GpuTrial?,
    private val pacer: Pacer = Pacer.NONE,
) : AutoCloseable {
    private var model: LoadedModel? = null
    private var selection: Selection? = null

    /** Which engine runs, and why not another; null before the first picture. */
    public val chosen: Selection? get() = selection

    /** Loads and proves the engine for a picture of [width] x [height], unless it is there already. */
    public fun prepare(width: Int, height: Int) {
        val best = MemoryPlan.fastest(usable.models, width, height, freeMemory(context))
        if (best == model && selection != null) return
        close()
        model = best
        selection = EngineSelector(runtime, best, trial).select(request, models.golden(usable.entryOf(best)))
    }

    /** The format that a result of [photo] will have. */
    public fun formatOf(photo: Photo, output: Output): PictureFormat = output.formatFor(photo.mime, photo.hasAlpha)

    /**
     * Upscales [photo] into [target]; throws what [UpscaleTask.run] throws.
     *
     * @param progress is told after each tile
     */
    public fun run(photo: Photo, target: File, output: Output, cancel: CancelToken, progress: (Progress) -> Unit): Upscaled {
        prepare(photo.width, photo.height)
        val model = checkNotNull(model)
        val format = formatOf(photo, output)
        val size = output.dimensions(photo.width, photo.height, model.shape.scale)
        val plan = MemoryPlan.choose(photo.width, photo.height, model, freeMemory(context), photo.hasRegions)
        val extras = extrasOf(photo, size.first, size.second, format, output.metadata)
        val files = PictureFile(BitmapWriters { freeMemory(context) })
        return photo.open(plan.reading).use { source ->
            UpscaleTask(model, checkNotNull(selection), files, pacer)
                .run(source, target, format, output.quality, size, extras, plan.bands, cancel, progress)
        }
    }

    /** Upscales [bitmap] into a new one; throws what [Upscaler.run] throws, and if the result does not fit into memory. */
    public fun run(bitmap: Bitmap, cancel: CancelToken, progress: (Progress) -> Unit): Bitmap {
        prepare(bitmap.width, bitmap.height)
        val model = checkNotNull(model)
        val width = bitmap.width * model.shape.scale
        val height = bitmap.height * model.shape.scale
        val free = freeMemory(context)
        val needed = width.toLong() * height * 4
        if (needed > free.device / 2) throw NotEnoughMemoryException(needed, free.device / 2)
        val plan = MemoryPlan.choose(bitmap.width, bitmap.height, model, free, regionsPossible = true)
        val numbers = bitmap.copy(Bitmap.Config.ARGB_8888, true).asNumbers()
        val result = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).apply { setHasAlpha(bitmap.hasAlpha()) }
        var row = 0
        try {
            Upscaler(BitmapSource(numbers), checkNotNull(selection).engine, model, plan.bands)
                .run({ pixels, offset -> result.setPixels(pixels, offset, width, 0, row++, width, 1) }, cancel, pacer, progress)
        } finally {
            numbers.recycle()
        }
        return result.apply { markLike(bitmap) }
    }

    override fun close() {
        selection?.engine?.close()
        selection = null
    }
}
