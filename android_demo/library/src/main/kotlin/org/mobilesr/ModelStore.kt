// The models of the app: those built in, those that the user added.
package org.mobilesr

import android.content.Context
import android.graphics.BitmapFactory
import android.net.Uri
import android.os.Build
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.FileResult
import org.mobilesr.core.GoldenTile
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelCard
import org.mobilesr.core.PixelCodec
import org.mobilesr.core.Refusal
import org.mobilesr.core.RefusedModelException
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/**
 * A file in the list.
 *
 * @property problem why it cannot be used, null for a good one
 */
public data class ModelEntry(val card: ModelCard, val builtIn: Boolean, val model: LoadedModel?, val problem: RefusedModelException?) {
    /** Stable across starts; the same for all tiles of one network. */
    val id: String get() = if (builtIn) "built-in/${card.name}" else "own/${card.file}"
}

/**
 * A network that can run, with every tile size that there is of it.
 *
 * @property variants at least one, all of them usable
 */
public class UsableModel(public val id: String, public val variants: List<ModelEntry>) {
    public val name: String get() = variants.first().card.name
    public val scale: Int get() = variants.first().model!!.shape.scale
    public val models: List<LoadedModel> get() = variants.mapNotNull { it.model }

    /** True if one of the files is there for this phone's NPU. */
    public val hasNpu: Boolean get() = models.any { it.npu != null }

    /** The entry of one of [models]. */
    public fun entryOf(model: LoadedModel): ModelEntry = variants.first { it.model == model }

    override fun equals(other: Any?): Boolean = other is UsableModel && other.id == id && other.models == models

    override fun hashCode(): Int = id.hashCode()
}

/** As in [org.mobilesr.core.CompiledFor.soc], with an ending on some phones. */
public fun socOfThisPhone(): String? = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Build.SOC_MODEL else null

/**
 * Lists, adds, removes and opens models. Reads files: not for the main thread, but for [choose] once the list is known.
 *
 * @param folder of the assets, with a models.json in it
 * @param soc this phone's, as Android names it; null where it does not (before Android 12)
 */
public class ModelStore(
    private val context: Context,
    private val runtime: EngineFactory,
    private val folder: String = FOLDER,
    private val soc: String? = socOfThisPhone(),
) {
    private val own = File(context.filesDir, "models").apply { mkdirs() }
    private val unpacked = File(context.filesDir, "built-in").apply { mkdirs() }

    /** Read without the lock: a file that is being copied in must not hold up who only looks. */
    @Volatile
    private var entries: List<ModelEntry>? = null

    /** All files, those that cannot be used included. */
    public fun all(): List<ModelEntry> = entries ?: synchronized(this) { entries ?: (builtIn() + added()).also { entries = it } }

    /** The networks that can run. */
    public fun usable(): List<UsableModel> = all().filter { it.model != null }.groupBy { it.id }.map { (id, variants) -> UsableModel(id, variants) }

    /** The network with this id, else the first one, null if there is none. */
    public fun choose(id: String?): UsableModel? = usable().let { list -> list.firstOrNull { it.id == id } ?: list.firstOrNull() }

    /**
     * Copies a .tflite file into the app.
     *
     * @throws RefusedModelException if it cannot be run; nothing is kept of it then
     * @throws IOException if it cannot be read
     */
    public fun add(uri: Uri): ModelEntry {
        val shown = context.contentResolver.displayName(uri) ?: uri.lastPathSegment ?: "model"
        val name = shown.substringAfterLast('/').removeSuffix(EXTENSION).replace(Regex("[^\\w .()+-]"), "_").trimStart('.').ifEmpty { "model" }
        val file = File(own, name + EXTENSION)
        val candidate = File.createTempFile(name, ".candidate", own)
        try {
            FileResult.write(candidate) { out ->
                openInput(uri).use { it.copyTo(out) }
            }
            LoadedModel.openUserFile(candidate, file.name, runtime.types)
            synchronized(this) {
                if (!candidate.renameTo(file)) throw IOException("cannot rename ${candidate.name}")
                entries = null
            }
        } catch (e: SecurityException) {
            throw e
        } catch (e: RuntimeException) {
            throw ProviderException(e)
        } finally {
            candidate.delete()
        }
        return all().first { !it.builtIn && it.card.file == file.name }
    }

    /** Deletes a model that the user added. */
    @Synchronized
    public fun remove(entry: ModelEntry) {
        require(!entry.builtIn) { "built-in models stay" }
        File(own, entry.card.file).delete()
        entries = null
    }

    /** The golden tile of [entry], null if it has none. @throws RefusedModelException if it cannot be read */
    public fun golden(entry: ModelEntry): GoldenTile? {
        val model = entry.model ?: return null
        val files = entry.card.golden ?: return null
        val shape = model.shape
        return try {
            GoldenTile(
                floats(files.input, shape.tileWidth, shape.tileHeight, model),
                floats(files.output, shape.tileWidth * shape.scale, shape.tileHeight * shape.scale, model),
            )
        } catch (e: IOException) {
            throw RefusedModelException(Refusal.CARD, e.message.orEmpty(), e)
        }
    }

    private fun openInput(uri: Uri) = context.contentResolver.openInputStream(uri) ?: throw FileNotFoundException(uri.toString())

    private fun floats(asset: String, width: Int, height: Int, model: LoadedModel): FloatArray {
        val options = BitmapFactory.Options().apply { inScaled = false }
        val bitmap = context.assets.open("$folder/$asset").use { BitmapFactory.decodeStream(it, null, options) }
            ?: throw IOException("$asset is no picture")
        if (bitmap.width != width || bitmap.height != height) throw IOException("$asset is ${bitmap.width}x${bitmap.height}, not ${width}x$height")
        val pixels = IntArray(width * height)
        bitmap.getPixels(pixels, 0, width, 0, 0, width, height)
        return FloatArray(width * height * 3).also { PixelCodec(model.card.range).encode(pixels, pixels.size, it) }
    }

    private fun builtIn(): List<ModelEntry> {
        val list = context.assets.open("$folder/$LIST").use { it.readBytes().toString(Charsets.UTF_8) }
        return ModelCard.list(list).map { card ->
            entry(card, true) { withCompiled(LoadedModel.open(unpack(card.file, card.sha256.orEmpty()), card, runtime.types)) }
        }
    }

    /** The one file of [plain] that this phone's NPU runs, if the runtime can ask for an NPU at all. */
    private fun withCompiled(plain: LoadedModel): LoadedModel {
        val entry = plain.card.npu.firstOrNull { it.runsOn(soc) }?.takeIf { Accelerator.NPU in runtime.accelerators } ?: return plain
        return LoadedModel.withCompiled(plain, unpack(entry.file, entry.sha256), entry)
    }

    private fun added(): List<ModelEntry> =
        own.listFiles { file -> file.name.endsWith(EXTENSION) }.orEmpty().sortedBy { it.name }.map { file ->
            val unread = ModelCard.unread(file.name)
            entry(unread, false) { LoadedModel.openUserFile(file, file.name, runtime.types) }
        }

    private fun entry(card: ModelCard, builtIn: Boolean, open: () -> LoadedModel): ModelEntry = try {
        val model = open()
        ModelEntry(model.card, builtIn, model, null)
    } catch (e: RefusedModelException) {
        ModelEntry(card, builtIn, null, e)
    }

    /** Assets have no path; runtimes want one. The name changes with the content, so an update is a new file. */
    private fun unpack(asset: String, sha256: String): File {
        val target = File(unpacked, "${sha256.take(SHORT)}-$asset")
        if (!target.exists()) {
            // the same file of an older version of the app, and no other whose name only ends alike
            unpacked.listFiles { file -> file.name.drop(SHORT + 1) == asset }?.forEach { it.delete() }
            FileResult.write(target) { out -> context.assets.open("$folder/$asset").use { it.copyTo(out) } }
        }
        return target
    }

    private companion object {
        const val FOLDER = "models"
        const val LIST = "models.json"
        const val EXTENSION = ".tflite"
        const val SHORT = 16
    }
}
