// What the user chose last.
package org.mobilesr.app

import android.content.Context
import org.mobilesr.UsableModel
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CpuThreads
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.Keep
import org.mobilesr.core.Output
import org.mobilesr.core.OutputSize
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.Precision

/** Remembers the model, where it runs, and what the result is to be. */
class Settings(context: Context) {
    private val stored = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    /** Of the chosen model. */
    var modelId: String?
        get() = stored.getString("model", null)
        set(value) = stored.edit().putString("model", value).apply()

    /** What the user wishes for; GPU unless something else was chosen: it is checked and falls back by itself. */
    var accelerator: Accelerator
        get() = Accelerator.entries.firstOrNull { it.name == stored.getString("accelerator", null) } ?: Accelerator.GPU
        set(value) = stored.edit().putString("accelerator", value.name).apply()

    var size: SizeChoice
        get() = SizeChoice.entries.firstOrNull { it.name == stored.getString("size", null) } ?: SizeChoice.FULL
        set(value) = stored.edit().putString("size", value.name).apply()

    /** Null: the photo's own. */
    var format: PictureFormat?
        get() = PictureFormat.entries.firstOrNull { it.name == stored.getString("format", null) }
        set(value) = stored.edit().putString("format", value?.name).apply()

    /** Where a photo was taken stays out of the result unless the user wants it. */
    var keepLocation: Boolean
        get() = stored.getBoolean("location", false)
        set(value) = stored.edit().putBoolean("location", value).apply()

    /** The permission is asked for once; after that the system's settings are the place. */
    var askedForNotifications: Boolean
        get() = stored.getBoolean("asked", false)
        set(value) = stored.edit().putBoolean("asked", value).apply()

    /** The wish, as far as there is a file of [model] for it: without one for the NPU the GPU is meant. */
    fun acceleratorFor(model: UsableModel?): Accelerator = accelerator.takeIf { it != Accelerator.NPU || model?.hasNpu == true } ?: Accelerator.GPU

    /** What photos are upscaled with. */
    fun requestFor(model: UsableModel): EngineRequest = EngineRequest(acceleratorFor(model), Precision.FP16, CpuThreads.choose())

    /** What results are to be. */
    val output: Output get() = Output(size.size, format, QUALITY, if (keepLocation) Keep.ALL else Keep.WITHOUT_LOCATION)

    private companion object {
        const val QUALITY = 92
    }
}

/** Sizes that the user can choose from. */
enum class SizeChoice(val size: OutputSize) {
    FULL(OutputSize.Full),
    DOUBLE(OutputSize.Factor(2.0)),
    SIDE_8000(OutputSize.LongSide(8000)),
    SIDE_3840(OutputSize.LongSide(3840)),
}
