// What the user chose last.
package org.mobilesr.app

import android.content.Context
import org.mobilesr.core.Accelerator
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.Precision

/** Remembers the model and where it runs. */
class Settings(context: Context) {
    private val stored = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    /** [ModelEntry.id] of the chosen model. */
    var modelId: String?
        get() = stored.getString("model", null)
        set(value) = stored.edit().putString("model", value).apply()

    /** GPU unless the user chose otherwise: it is checked and falls back by itself. */
    var accelerator: Accelerator
        get() = if (stored.getString("accelerator", null) == Accelerator.CPU.name) Accelerator.CPU else Accelerator.GPU
        set(value) = stored.edit().putString("accelerator", value.name).apply()

    /** What photos are upscaled with. */
    val request: EngineRequest get() = EngineRequest(accelerator, Precision.FP16)
}
