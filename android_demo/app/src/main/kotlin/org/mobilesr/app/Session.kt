// What has to survive the end of the process: chosen photos, finished results, and that work was under way.
package org.mobilesr.app

import android.content.Context
import android.net.Uri
import org.mobilesr.Photo
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BadTrial
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.NotRun
import org.mobilesr.core.FileResult
import org.mobilesr.core.Json
import org.mobilesr.core.JsonException
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.Precision
import org.mobilesr.core.Upscaled
import java.io.File
import java.io.IOException

/** Writes the state to [file] and reads it back. Not for the main thread. */
class Session(private val context: Context, private val file: File) {
    /** Keeps what [photos] and [finished] refer to; [working] says that more was to come. */
    @Synchronized
    fun keep(photos: List<Photo>, finished: List<Finished>, missed: List<Missed>, model: String?, cancelled: Int, working: Boolean) {
        val texts = Texts(context)
        val content = mapOf(
            "schema" to SCHEMA,
            "working" to working,
            "model" to model,
            "cancelled" to cancelled,
            "photos" to photos.map { photo(it) },
            "finished" to finished.map { finished(it) },
            "missed" to missed.map { mapOf("name" to it.name, "text" to texts.failure(it.failure)) },
        )
        try {
            FileResult.write(file) { it.write(Json.write(content).toByteArray()) }
        } catch (_: IOException) {
            file.delete() // a full disk: rather nothing than something old
        }
    }

    /** Forgets everything. */
    @Synchronized
    fun clear() {
        file.delete()
    }

    /** The state that the last process left, null if there is none that could still be shown. */
    @Synchronized
    fun restore(preview: Int): ScreenState? = try {
        restore(Json.parse(file.readText()) as Map<*, *>, preview)
    } catch (_: IOException) {
        null // nothing was kept, or its files are gone
    } catch (_: JsonException) {
        null
    } catch (_: ClassCastException) {
        null
    } catch (_: NullPointerException) {
        null
    }

    private fun restore(content: Map<*, *>, preview: Int): ScreenState? {
        if (content["schema"] != SCHEMA.toDouble()) return null
        val missed = list(content["missed"]).map { Missed(it["name"] as String, Failure.Said(it["text"] as String)) }
        val working = content["working"] as Boolean
        val finished = list(content["finished"]).map { finished(it) }.filter { it.result.file.exists() }
        val last = finished.lastOrNull()
        if (last != null) {
            val after = Photo.of(last.result.file, last.result.file.name).preview(preview)
            val cancelled = if (working) list(content["photos"]).size - finished.size else (content["cancelled"] as Double).toInt()
            return ScreenState.Done(finished, missed, content["model"] as String, last.photo.preview(preview), after, cancelled = cancelled)
        }
        val photos = list(content["photos"]).map { photo(it) }
        val first = photos.firstOrNull() ?: return null
        val ready = ScreenState.Ready(photos, missed, first.preview(preview))
        return if (working) ScreenState.Failed(Failure.Interrupted, ready) else ready
    }

    private fun photo(photo: Photo) = mapOf("file" to photo.file.path, "name" to photo.name)

    private fun photo(map: Map<*, *>) = Photo.of(File(map["file"] as String), map["name"] as String?)

    private fun finished(it: Finished) = mapOf(
        "photo" to photo(it.photo),
        "file" to it.result.file.path,
        "width" to it.result.width,
        "height" to it.result.height,
        "format" to it.result.format.name,
        "accelerator" to it.result.ran.accelerator.name,
        "precision" to it.result.ran.precision.name,
        "threads" to it.result.ran.threads,
        "not_run" to it.result.notRun.map { one -> check(one.why) + ("accelerator" to one.accelerator.name) },
        "tiles" to it.result.tiles,
        "seconds" to it.result.seconds,
        "saved" to it.saved?.toString(),
    )

    private fun finished(map: Map<*, *>): Finished {
        fun int(key: String) = (map[key] as Double).toInt()
        val ran = EngineRequest(Accelerator.valueOf(map["accelerator"] as String), Precision.valueOf(map["precision"] as String), int("threads"))
        val result = Upscaled(
            File(map["file"] as String), int("width"), int("height"), PictureFormat.valueOf(map["format"] as String), ran,
            list(map["not_run"] ?: emptyList<Any>()).map { NotRun(Accelerator.valueOf(it["accelerator"] as String), check(it)) }, int("tiles"), map["seconds"] as Double,
        )
        return Finished(photo(map["photo"] as Map<*, *>), result, (map["saved"] as String?)?.let { Uri.parse(it) })
    }

    private fun check(check: CheckResult): Map<String, Any> = when (check) {
        CheckResult.NotFinite -> mapOf("kind" to "not finite")
        CheckResult.Blank -> mapOf("kind" to "blank")
        is CheckResult.Different -> mapOf("kind" to "different", "largest" to check.largest, "mean" to check.mean)
        is CheckResult.Failed -> mapOf("kind" to "failed", "message" to check.message)
        is CheckResult.Distrusted -> mapOf("kind" to "distrusted", "how" to check.how.name)
        is CheckResult.Passed -> mapOf("kind" to "passed", "largest" to check.largest, "mean" to check.mean)
    }

    private fun check(map: Map<*, *>): CheckResult = when (map["kind"]) {
        "not finite" -> CheckResult.NotFinite
        "blank" -> CheckResult.Blank
        "different" -> CheckResult.Different(map["largest"] as Double, map["mean"] as Double)
        "distrusted" -> CheckResult.Distrusted(BadTrial.valueOf(map["how"] as String))
        "passed" -> CheckResult.Passed(map["largest"] as Double, map["mean"] as Double)
        else -> CheckResult.Failed(map["message"] as String)
    }

    private fun list(value: Any?): List<Map<*, *>> = (value as List<*>).map { it as Map<*, *> }

    private companion object {
        const val SCHEMA = 1
    }
}
