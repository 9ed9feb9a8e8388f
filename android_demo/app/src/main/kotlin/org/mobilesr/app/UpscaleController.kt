// From chosen photos to finished files: lives longer than any screen, and remembers longer than the process.
package org.mobilesr.app

import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.DocumentsContract
import android.util.Log
import org.mobilesr.Photo
import org.mobilesr.PhotoUpscaler
import org.mobilesr.ThermalPacer
import org.mobilesr.UsableModel
import org.mobilesr.core.CancelToken
import org.mobilesr.core.OutputName
import org.mobilesr.core.Progress
import org.mobilesr.core.Upscaled
import org.mobilesr.thermalOf
import java.io.File
import java.io.IOException
import java.util.concurrent.CancellationException

/** Runs the main screen's work. Call from the main thread. */
class UpscaleController(private val context: Context, private val services: Services) {
    /** What the screen shows. */
    val state = StateHolder<ScreenState>(ScreenState.Opening)

    private val session = Session(context, File(context.filesDir, "session.json"))

    /** One piece of work; what an older one still reports is no longer heard. */
    private class Job(val ready: ScreenState.Ready?) {
        val cancel = CancelToken()

        /** Set while the engine thread is busy with it. */
        @Volatile
        var running = false

        @Volatile
        var timeUp = false
    }

    @Volatile
    private var job = Job(null)

    init {
        services.ioThread.post {
            val restored = session.restore(PREVIEW)
            state.value = restored ?: ScreenState.Idle
            dropOldFiles(restored)
        }
    }

    /** True while nothing else can be started. */
    val isBusy: Boolean
        get() = when (val now = state.value) {
            is ScreenState.Opening, is ScreenState.Working -> true
            is ScreenState.Done -> now.saving == Saving.Running
            else -> false
        }

    /** Copies and measures [uris]; false if work is under way. */
    fun choose(uris: List<Uri>): Boolean {
        if (isBusy || uris.isEmpty()) return false
        val mine = Job(null).also { job = it }
        state.value = ScreenState.Opening
        services.ioThread.post {
            guarded(mine, { ScreenState.Failed(it, null) }) { publish(mine, import(uris, mine.cancel)) }
        }
        return true
    }

    /** Upscales the chosen photos with the settings' model, accelerator and output; from Done the same photos again. */
    fun start() {
        val ready = when (val now = state.value) {
            is ScreenState.Ready -> now
            is ScreenState.Failed -> now.ready ?: return
            is ScreenState.Done -> ScreenState.Ready(now.finished.map { it.photo }, emptyList(), now.before)
            else -> return
        }
        val waits = services.benchmark.state.value.running != null
        state.value = ScreenState.Working(ready.photos, 0, ready.before, if (waits) Phase.WAITING else Phase.PREPARING, null)
        context.startForegroundService(Intent(context, UpscaleService::class.java))
        submit(Job(ready))
    }

    /** Stops at once, or after the tile that is being computed; what is finished stays. */
    fun cancel() {
        val now = state.value
        job.cancel.cancel()
        if (now is ScreenState.Opening) {
            job = Job(null)
            state.value = ScreenState.Idle
        } else if (now is ScreenState.Working && now.phase in BEFORE_TILES && now.index == 0) {
            // a model that loads or a GPU that compiles cannot be interrupted; nobody has to watch it
            val ready = job.ready ?: return
            job = Job(null)
            state.value = ready
            services.ioThread.post { keepReady(ready) }
        }
    }

    /** Stops because Android allows no more time in the background. */
    fun endForTime() {
        job.timeUp = true
        job.cancel.cancel()
    }

    /** The GPU does not answer: the same work again on a fresh thread, where it is no longer trusted. */
    fun onGpuHung() {
        val hung = job
        if (!hung.running) return
        hung.cancel.cancel()
        submit(Job(hung.ready))
    }

    /** Saves the shown results: to the gallery, or the next of them to [document] if the user chose a place. */
    fun save(document: Uri? = null) {
        (state.value as? ScreenState.Done)?.let { state.value = it.copy(saving = Saving.Running) }
        val mine = job
        services.ioThread.post {
            val done = state.value as? ScreenState.Done
            if (done == null) {
                document?.let { forget(it) }
                return@post publish(mine, ScreenState.Failed(Failure.Gone, null))
            }
            guarded(mine, { done.copy(saving = Saving.Failed(Texts(context).failure(it))) }) { publish(mine, saved(done, document)) }
        }
    }

    private fun saved(done: ScreenState.Done, document: Uri?): ScreenState.Done {
        val next = done.finished.indexOfFirst { it.saved == null }.takeIf { it >= 0 } ?: done.finished.lastIndex
        val finished = done.finished.mapIndexed { i, one ->
            when {
                document == null -> one.copy(saved = one.saved ?: services.gallery.save(one.result))
                i == next -> one.copy(saved = document).also { services.gallery.write(one.result.file, document) }
                else -> one
            }
        }
        keep(finished, done.missed, done.model, done.cancelled)
        return done.copy(finished = finished, saving = if (document != null) Saving.InDocument else Saving.InGallery)
    }

    /** A document that was created for a result which no longer exists. */
    private fun forget(document: Uri) {
        try {
            DocumentsContract.deleteDocument(context.contentResolver, document)
        } catch (e: Exception) {
            Log.w(TAG, "an empty document stays: $e") // any provider, any exception
        }
    }

    private fun submit(mine: Job) {
        job = mine
        val ready = checkNotNull(mine.ready)
        services.engineThread.post {
            if (mine.cancel.isCancelled) return@post
            mine.running = true
            guarded(mine, { ScreenState.Failed(it, ready) }) { publish(mine, work(ready, mine)) }
            mine.running = false
        }
    }

    private fun publish(from: Job, new: ScreenState) {
        if (from === job) state.value = new
    }

    /** Whatever goes wrong is a state: no thread ends without a word. */
    private fun guarded(mine: Job, onFailure: (Failure) -> ScreenState, work: () -> Unit) {
        try {
            work()
        } catch (_: CancellationException) {
            val ready = mine.ready ?: return
            keepReady(ready)
            publish(mine, if (mine.timeUp) ScreenState.Failed(Failure.TimeUp, ready) else ready)
        } catch (e: Throwable) {
            Log.w(TAG, e)
            publish(mine, onFailure(Failure.of(e)))
        }
    }

    /** Photos that cannot be opened do not stop the others, unless there are no others. */
    private fun import(uris: List<Uri>, cancel: CancelToken): ScreenState {
        val folder = File(services.inputs, System.currentTimeMillis().toString()).apply { mkdirs() }
        val photos = ArrayList<Photo>()
        val missed = ArrayList<Missed>()
        uris.forEachIndexed { i, uri ->
            expectFailures({ missed += Missed(uri.lastPathSegment.orEmpty(), it) }) {
                photos += Photo.import(context, uri, File(folder, "photo-$i"), cancel)
            }
        }
        val first = photos.firstOrNull() ?: return ScreenState.Failed(missed.first().failure, null).also { session.clear() }
        session.keep(photos, emptyList(), missed, null, 0, working = false)
        services.inputs.listFiles { file -> file != folder }?.forEach { it.deleteRecursively() }
        return ScreenState.Ready(photos, missed, first.preview(PREVIEW))
    }

    private fun work(ready: ScreenState.Ready, mine: Job): ScreenState {
        val model = services.models.choose(services.settings.modelId) ?: return ScreenState.Failed(Failure.NoModel, ready)
        var now = ScreenState.Working(ready.photos, 0, ready.before, Phase.PREPARING, null)
        fun tell(change: (ScreenState.Working) -> ScreenState.Working) {
            now = change(now)
            publish(mine, now)
        }
        tell { it }
        session.keep(ready.photos, emptyList(), ready.missed, model.name, 0, working = true)
        val pacer = ThermalPacer({ thermalOf(context) }) { pausing -> tell { it.copy(phase = if (pausing) Phase.PAUSED else Phase.TILES) } }
        val upscaler = PhotoUpscaler(context, services.runtime, services.models, model, services.settings.requestFor(model), services.gpuTrial, pacer)
        return upscaler.use { all(ready, mine, model, it, ::tell) }
    }

    private fun all(
        ready: ScreenState.Ready,
        mine: Job,
        model: UsableModel,
        upscaler: PhotoUpscaler,
        tell: ((ScreenState.Working) -> ScreenState.Working) -> Unit,
    ): ScreenState {
        val several = ready.photos.size > 1
        val finished = ArrayList<Finished>()
        val missed = ArrayList(ready.missed)
        var cancelled = 0
        for ((i, photo) in ready.photos.withIndex()) {
            try {
                mine.cancel.check()
                expectFailures({ missed += Missed(photo.name.orEmpty(), it) }) {
                    tell { it.copy(index = i, phase = if (i == 0) Phase.PREPARING else Phase.OPENING, progress = null) }
                    val result = one(photo, model, upscaler, mine.cancel) { progress -> tell { it.copy(phase = Phase.TILES, progress = progress) } }
                    if (several) tell { it.copy(phase = Phase.SAVING, progress = null) }
                    finished += Finished(photo, result, if (several && services.gallery.canSave) services.gallery.save(result) else null)
                    session.keep(ready.photos, finished, missed, model.name, 0, working = true)
                }
            } catch (e: CancellationException) {
                if (finished.isEmpty()) throw e
                cancelled = ready.photos.size - i
                break
            }
        }
        val last = finished.lastOrNull() ?: return ScreenState.Failed(missed.last().failure, ready).also { keepReady(ready) }
        keep(finished, missed, model.name, cancelled)
        val after = Photo.of(last.result.file, last.result.file.name).preview(PREVIEW)
        return ScreenState.Done(finished, missed, model.name, last.photo.preview(PREVIEW), after, cancelled = cancelled)
    }

    private fun keep(finished: List<Finished>, missed: List<Missed>, model: String, cancelled: Int) =
        session.keep(finished.map { it.photo }, finished, missed, model, cancelled, working = false)

    private fun keepReady(ready: ScreenState.Ready) = session.keep(ready.photos, emptyList(), ready.missed, null, 0, working = false)

    /** Tells [missed] what went wrong with one photo; cancellation goes on upwards. */
    private fun expectFailures(missed: (Failure) -> Unit, work: () -> Unit) = try {
        work()
    } catch (e: CancellationException) {
        throw e
    } catch (e: Exception) {
        missed(Failure.of(e))
    } catch (e: OutOfMemoryError) {
        missed(Failure.of(e))
    } catch (e: LinkageError) {
        missed(Failure.of(e))
    }

    private fun one(photo: Photo, model: UsableModel, upscaler: PhotoUpscaler, cancel: CancelToken, progress: (Progress) -> Unit): Upscaled {
        val output = services.settings.output
        upscaler.prepare(photo.width, photo.height)
        cancel.check()
        val name = OutputName.of(photo.name, model.scale, model.name, upscaler.formatOf(photo, output))
        return upscaler.run(photo, free(name), output, cancel, progress)
    }

    /** A name of its own, also for two photos of the same name. */
    private fun free(name: String): File {
        val (stem, extension) = name.substringBeforeLast('.') to name.substringAfterLast('.')
        return generateSequence(1) { it + 1 }
            .map { File(services.results, if (it == 1) name else "$stem ($it).$extension") }
            .firstOrNull { !it.exists() } ?: throw IOException(name)
    }

    /** What nothing on the screen refers to; results not at once, another app may still be reading what was shared with it. */
    private fun dropOldFiles(shown: ScreenState?) {
        val limit = System.currentTimeMillis() - KEPT_MS
        val used = (shown as? ScreenState.Done)?.finished.orEmpty().map { it.result.file }
        services.results.listFiles { file -> file.lastModified() < limit && file !in used }?.forEach { it.delete() }
        if (shown == null) services.inputs.listFiles()?.forEach { it.deleteRecursively() }
    }

    private companion object {
        const val TAG = "MobileSr"
        const val PREVIEW = 1600
        const val KEPT_MS = 24L * 3600 * 1000
        val BEFORE_TILES = setOf(Phase.WAITING, Phase.PREPARING, Phase.OPENING)
    }
}
