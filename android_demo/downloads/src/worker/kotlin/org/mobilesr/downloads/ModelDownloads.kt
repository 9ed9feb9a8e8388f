// Downloads that WorkManager starts when there is a network, and again when one ended badly. Type-checked, never run on a phone.
package org.mobilesr.downloads

import android.content.Context
import androidx.work.Constraints
import androidx.work.Data
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequest
import androidx.work.WorkManager
import androidx.work.Worker
import androidx.work.WorkerParameters
import java.io.File
import java.io.IOException
import java.util.UUID
import java.util.concurrent.CancellationException

/** Fetches listed models into the app's own storage; `ModelSource.InFile` loads them. */
public class ModelDownloads(private val context: Context) {
    /** The file of [model], null until it was fetched. */
    public fun fileOf(model: ListedModel): File? = target(context, model.fileName).takeIf { it.exists() }

    /**
     * Asks for [model]; a second wish for the same file is the first one.
     *
     * @param metered false waits for a network that costs nothing
     * @return what WorkManager calls the work: ask it for its progress ([BYTES]) and its end ([PROBLEM])
     */
    public fun enqueue(model: ListedModel, metered: Boolean = false): UUID {
        val wish = Data.Builder().putString(NAME, model.name).putString(URL, model.url).putString(SHA256, model.sha256)
            .putLong(SIZE, model.bytes).putString(LICENCE, model.licence).build()
        val network = Constraints.Builder().setRequiredNetworkType(if (metered) NetworkType.CONNECTED else NetworkType.UNMETERED).build()
        val request = OneTimeWorkRequest.Builder(DownloadWorker::class.java).setInputData(wish).setConstraints(network).build()
        WorkManager.getInstance(context).enqueueUniqueWork(model.sha256, ExistingWorkPolicy.KEEP, request)
        return request.id
    }

    /** Gives up a download, or deletes what it brought. */
    public fun remove(model: ListedModel) {
        WorkManager.getInstance(context).cancelUniqueWork(model.sha256)
        target(context, model.fileName).delete()
    }

    public companion object {
        /** Of the progress: bytes so far, a Long. */
        public const val BYTES: String = "bytes"

        /** Of the output of failed work: a sentence. */
        public const val PROBLEM: String = "problem"

        internal const val NAME = "name"
        internal const val URL = "url"
        internal const val SHA256 = "sha256"
        internal const val SIZE = "size"
        internal const val LICENCE = "licence"

        internal fun target(context: Context, name: String) = File(File(context.filesDir, "downloads").apply { mkdirs() }, name)
    }
}

/** One download. */
public class DownloadWorker(context: Context, parameters: WorkerParameters) : Worker(context, parameters) {
    override fun doWork(): Result {
        fun text(key: String) = checkNotNull(inputData.getString(key))
        val model = ListedModel(
            text(ModelDownloads.NAME), text(ModelDownloads.URL), text(ModelDownloads.SHA256), inputData.getLong(ModelDownloads.SIZE, 0), text(ModelDownloads.LICENCE),
        )
        return try {
            var told = 0L
            Download().fetch(model, ModelDownloads.target(applicationContext, model.fileName), { isStopped }) { bytes ->
                if (bytes - told >= STEP || bytes == model.bytes) setProgressAsync(Data.Builder().putLong(ModelDownloads.BYTES, bytes).build())
                if (bytes - told >= STEP) told = bytes
            }
            Result.success()
        } catch (_: CancellationException) {
            Result.retry()
        } catch (e: WrongFileException) {
            Result.failure(Data.Builder().putString(ModelDownloads.PROBLEM, e.message).build())
        } catch (e: IOException) {
            if (runAttemptCount < ATTEMPTS) Result.retry() else Result.failure(Data.Builder().putString(ModelDownloads.PROBLEM, e.message).build())
        }
    }

    private companion object {
        const val STEP = 256L shl 10
        const val ATTEMPTS = 5
    }
}
