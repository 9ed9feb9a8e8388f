// From chosen photos to finished files: lives longer than any screen, works on the engine thread.
package org.mobilesr.app

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.net.Uri
import org.mobilesr.core.CancelToken
import org.mobilesr.core.EngineSelector
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.MemoryPlan
import org.mobilesr.core.OutputName
import org.mobilesr.core.Progress
import org.mobilesr.core.Selection
import org.mobilesr.core.UpscaleTask
import org.mobilesr.core.Upscaled
import java.io.File
import java.io.IOException
import java.util.concurrent.CancellationException

/** Runs the main screen's work. Call from the main thread. */
class UpscaleController(private val context: Context, private val services: Services) {
    /** What the screen shows. */
    val state = StateHolder<ScreenState>(ScreenState.Idle)

    private var cancel = CancelToken()

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
        state.value = ScreenState.Opening
        background(onFailure = { ScreenState.Failed(it, null) }) {
            services.inputs.listFiles()?.forEach { it.delete() }
            dropOldResults()
            state.value = import(uris)
        }
        return true
    }

    /** Upscales the chosen photos with the model and the accelerator of the settings. */
    fun start() {
        val ready = when (val now = state.value) {
            is ScreenState.Ready -> now
            is ScreenState.Failed -> now.ready ?: return
            else -> return
        }
        cancel = CancelToken()
        timeUp = false
        state.value = ScreenState.Working(ready.photos, 0, ready.before, Phase.PREPARING, null)
        context.startForegroundService(Intent(context, UpscaleService::class.java))
        background(onFailure = { ScreenState.Failed(it, ready) }) {
            state.value = try {
                work(ready)
            } catch (_: CancellationException) {
                if (timeUp) ScreenState.Failed(Failure.TimeUp, ready) else ready
            }
        }
    }

    @Volatile
    private var timeUp = false

    /** Stops after the tile that is being computed. */
    fun cancel() = cancel.cancel()

    /** Stops because Android allows no more time in the background. */
    fun endForTime() {
        timeUp = true
        cancel.cancel()
    }

    /** Back to nothing chosen. */
    fun reset() {
        if (!isBusy) state.value = ScreenState.Idle
    }

    /** Saves the shown results: to the gallery, or to [document] if the user chose a place. */
    fun save(document: Uri? = null) {
        val done = state.value as? ScreenState.Done ?: return
        state.value = done.copy(saving = Saving.Running)
        background(onFailure = { done.copy(saving = Saving.Failed((it as? Failure.Storage)?.message.orEmpty())) }) {
            if (document != null) services.gallery.write(done.finished.last().result.file, document)
            val finished = if (document != null) done.finished else done.finished.map { it.copy(saved = it.saved ?: services.gallery.save(it.result.file)) }
            state.value = done.copy(finished = finished, saving = if (document != null) Saving.InDocument else Saving.InGallery)
        }
    }

    private fun background(onFailure: (Failure) -> ScreenState, work: () -> Unit) {
        services.engineThread.submit {
            try {
                work()
            } catch (e: Exception) {
                failed(e, onFailure)
            } catch (e: OutOfMemoryError) {
                failed(e, onFailure)
            }
        }
    }

    private fun failed(e: Throwable, onFailure: (Failure) -> ScreenState) {
        val failure = Failure.of(e) ?: return crash(e)
        state.value = onFailure(failure)
    }

    /** Not at once: another app may still be reading what was shared with it. */
    private fun dropOldResults() {
        val limit = System.currentTimeMillis() - KEPT_MS
        services.results.listFiles { file -> file.lastModified() < limit }?.forEach { it.delete() }
    }

    /** Photos that cannot be opened do not stop the others, unless there are no others. */
    private fun import(uris: List<Uri>): ScreenState {
        val photos = ArrayList<Photo>()
        val missed = ArrayList<Missed>()
        uris.forEachIndexed { i, uri ->
            expectFailures({ missed += Missed(uri.lastPathSegment.orEmpty(), it) }) {
                photos += Photo.import(context, uri, services.inputs, i)
            }
        }
        val first = photos.firstOrNull() ?: return ScreenState.Failed(missed.first().failure, null)
        return ScreenState.Ready(photos, missed, first.preview(PREVIEW))
    }

    private fun work(ready: ScreenState.Ready): ScreenState {
        val entry = services.models.choose(services.settings.modelId)
        val model = entry?.model ?: return ScreenState.Failed(Failure.NoModel, ready)
        val selection = EngineSelector(services.runtime, model).select(services.settings.request, services.models.golden(entry))
        return selection.engine.use { all(ready, model, selection) }
    }

    private fun all(ready: ScreenState.Ready, model: LoadedModel, selection: Selection): ScreenState {
        val task = UpscaleTask(model, selection)
        val several = ready.photos.size > 1
        val finished = ArrayList<Finished>()
        val missed = ArrayList(ready.missed)
        ready.photos.forEachIndexed { i, photo ->
            fun tell(phase: Phase, progress: Progress?) {
                state.value = ScreenState.Working(ready.photos, i, ready.before, phase, progress)
            }
            tell(Phase.OPENING, null)
            expectFailures({ missed += Missed(photo.name.orEmpty(), it) }) {
                val result = one(photo, model, task) { tell(Phase.TILES, it) }
                if (several) tell(Phase.SAVING, null)
                finished += Finished(photo, result, if (several && services.gallery.canSave) services.gallery.save(result.file) else null)
            }
        }
        val last = finished.lastOrNull() ?: return ScreenState.Failed(missed.last().failure, ready)
        val after = Photo.of(last.result.file, last.result.file.name).preview(PREVIEW)
        return ScreenState.Done(finished, missed, model.card.name, last.photo.preview(PREVIEW), after)
    }

    /** Tells [missed] what is a [Failure]; cancellation and mistakes of the app go on upwards. */
    private fun expectFailures(missed: (Failure) -> Unit, work: () -> Unit) = try {
        work()
    } catch (e: CancellationException) {
        throw e
    } catch (e: Exception) {
        missed(Failure.of(e) ?: throw e)
    }

    private fun one(photo: Photo, model: LoadedModel, task: UpscaleTask, progress: (Progress) -> Unit): Upscaled {
        val plan = MemoryPlan.choose(photo.width, photo.height, model.shape, freeHeap(), freeDevice(), photo.hasRegions)
        return photo.open(plan.reading).use { source ->
            task.run(source, target(photo, model), cancel, progress)
        }
    }

    /** A name of its own, also for two photos of the same name. */
    private fun target(photo: Photo, model: LoadedModel): File {
        val name = OutputName.of(photo.name, model.shape.scale, model.card.name)
        val stem = name.removeSuffix(".png")
        return generateSequence(1) { it + 1 }
            .map { File(services.results, if (it == 1) name else "$stem ($it).png") }
            .firstOrNull { !it.exists() } ?: throw IOException(name)
    }

    private fun freeHeap(): Long = Runtime.getRuntime().let { it.maxMemory() - it.totalMemory() + it.freeMemory() }

    private fun freeDevice(): Long {
        val info = ActivityManager.MemoryInfo()
        context.getSystemService(ActivityManager::class.java).getMemoryInfo(info)
        return info.availMem - info.threshold
    }

    private companion object {
        const val PREVIEW = 1600
        const val KEPT_MS = 24L * 3600 * 1000
    }
}
