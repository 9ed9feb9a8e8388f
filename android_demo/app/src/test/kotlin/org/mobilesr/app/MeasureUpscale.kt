// A program of its own: a photo of any size through a model that ships, on a desktop JVM. See measure.sh.
package org.mobilesr.app

import com.sun.management.OperatingSystemMXBean
import org.mobilesr.LiteRtFactory
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector
import org.mobilesr.core.FreeMemory
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.MemoryPlan
import org.mobilesr.core.ModelCard
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.PixelSource
import org.mobilesr.core.UpscaleTask
import java.io.File
import java.lang.management.ManagementFactory
import java.lang.management.MemoryType

/** A picture that is computed when it is asked for, with enough in it for a compressor. */
private class ComputedPhoto(override val width: Int, override val height: Int) : PixelSource {
    override val hasAlpha = false

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        for (i in 0 until width * height) {
            val u = x + i % width
            val v = y + i / width
            into[i] = (255 shl 24) or ((u / 3 + v / 5 and 255) shl 16) or ((u / 7 xor v / 11) and 255 shl 8) or (v / 4 and 255)
        }
    }
}

/** Arguments: models folder, tile (0: the app's own choice), width, height, threads. */
fun main(arguments: Array<String>) {
    val (tile, width, height, threads) = arguments.drop(1).map { it.toInt() }
    val folder = File(arguments[0])
    val factory = LiteRtFactory(File("target/gpu"))
    val models = ModelCard.list(File(folder, "models.json").readText()).map { LoadedModel.open(File(folder, it.file), it, factory.types) }
    val free = FreeMemory(Runtime.getRuntime().maxMemory(), 4L shl 30)
    val model = models.firstOrNull { it.shape.tileWidth == tile } ?: MemoryPlan.fastest(models, width, height, free)
    val plan = MemoryPlan.choose(width, height, model, free, regionsPossible = true)
    val selection = EngineSelector(factory, model).select(EngineRequest(Accelerator.CPU, threads = threads), null)
    val target = File.createTempFile("measured", ".jpg").apply { deleteOnExit() }
    val system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean::class.java)
    val (cpu, clock) = system.processCpuTime to System.nanoTime()
    val done = UpscaleTask(model, selection).run(ComputedPhoto(width, height), target, PictureFormat.JPEG, bands = plan.bands)
    val megapixels = width * height / 1e6
    val heap = ManagementFactory.getMemoryPoolMXBeans().filter { it.type == MemoryType.HEAP }.sumOf { it.peakUsage.used }
    println(
        "tile %d, %d threads, %.1f MP in, %d x %d out: %.2f s of the processor and %.2f s by the clock for each megapixel; heap at most %d MB".format(
            model.shape.tileWidth, threads, megapixels, done.width, done.height,
            (system.processCpuTime - cpu) / 1e9 / megapixels, (System.nanoTime() - clock) / 1e9 / megapixels, heap shr 20,
        ),
    )
}
