// The library's front door: load a network, enlarge bitmaps and files, know what ran.
package org.mobilesr

import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import kotlinx.coroutines.suspendCancellableCoroutine
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CancelToken
import org.mobilesr.core.CpuThreads
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineThread
import org.mobilesr.core.GpuTrial
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.NotRun
import org.mobilesr.core.Output
import org.mobilesr.core.Pacer
import org.mobilesr.core.Progress
import org.mobilesr.core.Upscaled
import java.io.File
import java.io.FileNotFoundException
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.coroutines.resumeWithException
import kotlin.coroutines.resume

/** Where a network comes from. */
public sealed interface ModelSource {
    /** One that ships with the library, by its name. */
    public data class Shipped(val name: String) : ModelSource

    /** A .tflite file: one RGB picture in, one larger out, fixed size. */
    public data class InFile(val file: File) : ModelSource
}

/** The networks that ship. */
public object Models {
    /** LKDN-S, 4 times larger. */
    public val LKDN_S_X4: ModelSource = ModelSource.Shipped("lkdn-s-x4")
}

/**
 * What really computes.
 *
 * @property request accelerator, and its precision or threads
 * @property notRun what was wished for and is not used, and why; empty if the wish was fulfilled
 */
public data class Ran(val request: EngineRequest, val notRun: List<NotRun>) {
    override fun toString(): String {
        val runs = when (request.accelerator) {
            Accelerator.NPU -> "NPU"
            Accelerator.GPU -> "GPU ${request.precision.name.lowercase()}"
            Accelerator.CPU -> "CPU (${request.threads})"
        }
        return notRun.fold(runs) { text, one -> "$text, the ${one.accelerator}: ${one.why}" }
    }
}

/**
 * A loaded network. All functions may be called from any thread; they suspend until they are done, one after the other, and
 * stop between two tiles when their coroutine is cancelled. Close it when it is no longer needed.
 */
public class MobileSr private constructor(private val context: Context, private val thread: EngineThread, private val upscaler: PhotoUpscaler) : AutoCloseable {
    /** What ran last, or will run: another tile may be loaded for a picture of another size, and proves itself anew. */
    public val ran: Ran get() = upscaler.chosen!!.let { Ran(it.runs, it.notRun) }

    /**
     * Enlarges [bitmap]; the answer has its color space, and its transparency.
     *
     * @param progress is told after each tile, on a worker thread
     * @throws org.mobilesr.core.NotEnoughMemoryException if the result would not fit: use the other function then
     */
    public suspend fun upscale(bitmap: Bitmap, progress: (Progress) -> Unit = {}): Bitmap = thread.run { cancel -> upscaler.run(bitmap, cancel, progress) }

    /**
     * Enlarges the photo behind [from] into [to], band by band: memory does not grow with its height.
     *
     * @param to a place that can be written to, from MediaStore or a document picker; it gets the whole file or nothing
     * @param progress is told after each tile, on a worker thread
     * @return the result; its file is gone, copied to [to]
     * @throws java.io.IOException if the photo cannot be read or the result not be written
     */
    public suspend fun upscale(from: Uri, to: Uri, output: Output = Output(), progress: (Progress) -> Unit = {}): Upscaled = thread.run { cancel ->
        val folder = File.createTempFile("mobilesr", "", context.cacheDir).also { it.delete() }.apply { mkdirs() }
        try {
            val photo = Photo.import(context, from, File(folder, "photo"), cancel)
            val result = upscaler.run(photo, File(folder, "result"), output, cancel, progress)
            val out = context.contentResolver.openOutputStream(to, "wt") ?: throw FileNotFoundException(to.toString())
            out.use { target -> result.file.inputStream().use { it.copyTo(target) } }
            result
        } finally {
            folder.deleteRecursively()
        }
    }

    override fun close() {
        thread.post { upscaler.close() }
        thread.close()
    }

    public companion object {
        /** The engine's picture size before any picture is known: a photo of 12 megapixels. */
        private const val WIDTH = 4000
        private const val HEIGHT = 3000

        /**
         * Loads [model] and proves it: the accelerator has to reproduce a known picture, or the next one runs (NPU, GPU, CPU) and
         * [MobileSr.ran] says why.
         *
         * @param accelerator what is wished for; an NPU runs only models with a file for its SoC
         * @param runtime loads .tflite files; tests give their own
         * @throws org.mobilesr.core.RefusedModelException if the file is no such network
         * @throws org.mobilesr.core.EngineException if the CPU cannot load it either
         */
        public suspend fun load(
            context: Context,
            model: ModelSource = Models.LKDN_S_X4,
            accelerator: Accelerator = Accelerator.GPU,
            runtime: EngineFactory = runtimeFactory(context.applicationContext),
        ): MobileSr {
            val app = context.applicationContext
            val thread = EngineThread()
            var onHung = {}
            val trial = GpuTrial(File(app.noBackupFilesDir, "mobilesr-gpu-trial")) { onHung() }
            val request = EngineRequest(accelerator, threads = CpuThreads.choose())
            return suspendCancellableCoroutine { waiting ->
                val answered = AtomicBoolean(false)
                fun attempt() = thread.post {
                    val loaded = runCatching {
                        val store = ModelStore(app, runtime)
                        PhotoUpscaler(app, runtime, store, find(model, store, runtime), request, trial, Pacer.NONE).apply { prepare(WIDTH, HEIGHT) }
                    }
                    if (!answered.compareAndSet(false, true)) return@post loaded.getOrNull()?.close() ?: Unit
                    loaded.fold({ waiting.resume(MobileSr(app, thread, it)) }, { waiting.resumeWithException(it) })
                }
                // a driver that never answers keeps its thread; on a fresh one it is no longer asked
                onHung = {
                    thread.abandon()
                    attempt()
                }
                waiting.invokeOnCancellation { answered.set(true) }
                attempt()
            }
        }

        private fun find(model: ModelSource, store: ModelStore, runtime: EngineFactory): UsableModel = when (model) {
            is ModelSource.Shipped -> store.usable().firstOrNull { it.variants.first().builtIn && it.name == model.name }
                ?: throw IllegalArgumentException("no model ${model.name}: there are ${store.usable().map { it.name }}")
            is ModelSource.InFile -> {
                val loaded = LoadedModel.openUserFile(model.file, model.file.name, runtime.types)
                UsableModel("file/${model.file.name}", listOf(ModelEntry(loaded.card, false, loaded, null)))
            }
        }

        private suspend fun <T> EngineThread.run(work: (CancelToken) -> T): T = suspendCancellableCoroutine { waiting ->
            val cancel = CancelToken()
            waiting.invokeOnCancellation { cancel.cancel() }
            post { if (!cancel.isCancelled) waiting.resumeWith(runCatching { work(cancel) }) }
        }
    }
}
