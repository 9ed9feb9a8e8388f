// The choices of the main screen: model, where it runs, size and format of the result, the place in it.
package org.mobilesr.app

import android.app.Activity
import android.widget.CheckBox
import org.mobilesr.UsableModel
import org.mobilesr.core.Accelerator
import org.mobilesr.core.PictureFormat

/** Binds the settings to their views; [changed] is called after each choice. */
class SettingsPanel(activity: Activity, private val services: Services, private val changed: () -> Unit) {
    private val models = Choices<UsableModel>(activity.findViewById(R.id.model)!!) { it.name }
    private val accelerators = Choices<Accelerator>(activity.findViewById(R.id.accelerator)!!) { Texts(activity).accelerator(it) }
    private val sizes = Choices<SizeChoice>(activity.findViewById(R.id.size)!!) { activity.getString(labelOf(it), model?.scale ?: 1) }
    private val formats = Choices<FormatChoice>(activity.findViewById(R.id.format)!!) { it.format?.name ?: activity.getString(R.string.format_own) }
    private val location: CheckBox = activity.findViewById(R.id.location)!!

    /** A format, or the photo's own; spinners have no line for null. */
    private data class FormatChoice(val format: PictureFormat?)

    /** The chosen model, null while there is none. */
    val model: UsableModel? get() = models.chosen

    init {
        offerAccelerators()
        accelerators.onChosen {
            // what is shown already is no new wish, and a model without a file for the NPU does not end the wish for it
            if (it == services.settings.acceleratorFor(model)) return@onChosen
            // whoever chooses a driver by hand gives it another chance
            if (it != Accelerator.CPU && services.settings.accelerator == Accelerator.CPU) services.gpuTrial.forget()
            services.settings.accelerator = it
        }
        formats.offer(listOf(FormatChoice(null)) + PictureFormat.entries.map { FormatChoice(it) }, FormatChoice(services.settings.format))
        formats.onChosen { services.settings.format = it.format }
        location.isChecked = services.settings.keepLocation
        location.setOnCheckedChangeListener { _, checked -> services.settings.keepLocation = checked }
        models.onChosen {
            services.settings.modelId = it.id
            offerAccelerators()
            changed()
        }
        sizes.onChosen {
            services.settings.size = it
            changed()
        }
    }

    /** Offers [usable], with the one of the settings chosen. */
    fun offer(usable: List<UsableModel>) {
        models.offer(usable, usable.firstOrNull { it.id == services.settings.modelId } ?: usable.firstOrNull())
        offerAccelerators()
        sizes.offer(SizeChoice.entries, services.settings.size)
    }

    /** The NPU only where the model has a file for it: no phone has confirmed it yet, so nobody gets it without asking. */
    private fun offerAccelerators() {
        val possible = Accelerator.entries.filter { it != Accelerator.NPU || model?.hasNpu == true }
        accelerators.offer(possible, services.settings.acceleratorFor(model))
    }

    private fun labelOf(size: SizeChoice): Int = when (size) {
        SizeChoice.FULL -> R.string.size_full
        SizeChoice.DOUBLE -> R.string.size_double
        SizeChoice.SIDE_8000 -> R.string.size_8000
        SizeChoice.SIDE_3840 -> R.string.size_3840
    }
}
