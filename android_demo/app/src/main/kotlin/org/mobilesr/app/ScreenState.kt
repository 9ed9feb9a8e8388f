// What the main screen shows; the one source of truth for screen and notification.
package org.mobilesr.app

import android.graphics.Bitmap
import android.net.Uri
import org.mobilesr.core.Progress
import org.mobilesr.core.Upscaled

/** One finished photo. */
data class Finished(val photo: Photo, val result: Upscaled, val saved: Uri?)

/** One photo that could not be done. */
data class Missed(val name: String, val failure: Failure)

/** Steps before and after the tiles. */
enum class Phase { OPENING, PREPARING, TILES, SAVING }

/** States of the main screen. */
sealed interface ScreenState {
    /** Nothing chosen. */
    data object Idle : ScreenState

    /** Photos are being copied and measured. */
    data object Opening : ScreenState

    /** Photos are chosen; [before] shows the first; [missed] could not be opened. */
    data class Ready(val photos: List<Photo>, val missed: List<Missed>, val before: Bitmap) : ScreenState

    /** The photo number [index] of [photos] is being worked on. */
    data class Working(
        val photos: List<Photo>,
        val index: Int,
        val before: Bitmap,
        val phase: Phase,
        val progress: Progress?,
    ) : ScreenState

    /** All photos were tried; at least one succeeded, [before] and [after] show the last of them. */
    data class Done(
        val finished: List<Finished>,
        val missed: List<Missed>,
        val model: String,
        val before: Bitmap,
        val after: Bitmap,
        val saving: Saving = Saving.Not,
    ) : ScreenState

    /** Nothing succeeded; with [ready] it can be tried again. */
    data class Failed(val failure: Failure, val ready: Ready?) : ScreenState
}

/** Whether the shown result was saved. */
sealed interface Saving {
    data object Not : Saving
    data object Running : Saving
    data object InGallery : Saving
    data object InDocument : Saving
    data class Failed(val message: String) : Saving
}
