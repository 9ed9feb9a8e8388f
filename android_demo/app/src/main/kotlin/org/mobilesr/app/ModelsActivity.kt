// The models of the app: what they are, adding one, removing one.
package org.mobilesr.app

import android.app.Activity
import android.app.AlertDialog
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.mobilesr.ModelEntry
import org.mobilesr.core.RefusedModelException
import java.io.IOException

/** Lists the models; files are read beside the main thread. */
class ModelsActivity : Activity() {
    private val texts by lazy { Texts(this) }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_models)
        edgeToEdge(findViewById(R.id.root)!!)
        findViewById<TextView>(R.id.title)!!.setText(R.string.models_title)
        findViewById<View>(R.id.back)!!.setOnClickListener { finish() }
        findViewById<View>(R.id.add)!!.setOnClickListener { pick() }
    }

    override fun onStart() {
        super.onStart()
        inBackground { services.models.all() }
    }

    @Deprecated("The replacement is in androidx")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (requestCode == PICK && resultCode == RESULT_OK && uri != null) add(uri)
    }

    /** Adds the file behind [uri] and says what came of it. */
    fun add(uri: Uri) = inBackground {
        val name = uri.lastPathSegment.orEmpty().substringAfterLast('/')
        val text = try {
            getString(R.string.models_added, services.models.add(uri).card.name)
        } catch (e: RefusedModelException) {
            getString(R.string.refused, name, texts.refusal(e))
        } catch (e: IOException) {
            getString(R.string.refused, name, getString(R.string.refusal_unreadable, e.message.orEmpty()))
        } catch (e: SecurityException) {
            getString(R.string.refused, name, getString(R.string.refusal_unreadable, e.message.orEmpty()))
        }
        runOnUiThread { say(text) }
        services.models.all()
    }

    private fun pick() {
        // no MIME type is registered for .tflite; the content is checked instead
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
        try {
            startActivityForResult(intent, PICK)
        } catch (_: ActivityNotFoundException) {
            say(getString(R.string.no_picker))
        }
    }

    private fun inBackground(work: () -> List<ModelEntry>) = onFileThread({ work() }, ::show)

    private fun show(entries: List<ModelEntry>) {
        findViewById<View>(R.id.empty)!!.show(entries.isEmpty())
        val list = findViewById<ViewGroup>(R.id.list)!!
        list.removeAllViews()
        for (variants in entries.groupBy { it.id }.values) list.addView(row(variants, list))
    }

    /** One network; its tile sizes are files of their own. */
    private fun row(variants: List<ModelEntry>, list: ViewGroup): View {
        val entry = variants.first()
        val row = LayoutInflater.from(this).inflate(R.layout.model_row, list, false)
        row.findViewById<TextView>(R.id.name)!!.text = entry.card.name
        row.findViewById<TextView>(R.id.facts)!!.text = facts(variants).joinToString("\n")
        val remove = row.findViewById<View>(R.id.remove)!!
        remove.show(!entry.builtIn)
        remove.contentDescription = getString(R.string.models_remove, entry.card.name)
        remove.setOnClickListener { askToRemove(entry) }
        return row
    }

    private fun facts(variants: List<ModelEntry>): List<String> {
        val entry = variants.first()
        val origin = getString(if (entry.builtIn) R.string.models_built_in else R.string.models_own)
        val shape = entry.model?.shape
        val problem = variants.firstNotNullOfOrNull { it.problem }?.let { getString(R.string.models_broken, texts.refusal(it)) }
        val tiles = variants.mapNotNull { it.model?.shape }.joinToString { getString(R.string.models_tile, it.tileWidth, it.tileHeight) }
        val detail = shape?.let {
            val kind = entry.card.recipe ?: it.input.type.name.lowercase()
            getString(R.string.models_detail, it.scale, tiles, kind)
        }
        val checksum = entry.card.sha256?.let { getString(R.string.models_checksum, it.take(SHORT)) }
        val rights = listOfNotNull(entry.card.credit, entry.card.licence).joinToString(" · ").ifEmpty { null }
        return listOfNotNull(problem, detail, rights, checksum, origin)
    }

    private fun askToRemove(entry: ModelEntry) {
        AlertDialog.Builder(this)
            .setMessage(getString(R.string.models_remove_ask, entry.card.name))
            .setPositiveButton(R.string.remove) { _, _ ->
                inBackground {
                    services.models.remove(entry)
                    services.models.all()
                }
            }
            .setNegativeButton(R.string.cancel, null)
            .show()
    }

    private fun say(text: String) {
        val message = findViewById<TextView>(R.id.message)!!
        message.text = text
        message.show(true)
    }

    private companion object {
        const val PICK = 1
        const val SHORT = 12
    }
}
