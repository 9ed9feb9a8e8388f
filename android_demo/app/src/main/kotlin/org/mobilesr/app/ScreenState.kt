// What the main screen shows; the one source of truth for screen and notification.
package org.mobilesr.app

import android.graphics.Bitmap
import android.net.Uri
import org.mobilesr.Photo
import org.mobilesr.core.Progress
import org.mobilesr.core.Upscaled

/** One finished photo. */
data class Finished(val photo: Photo, val result: Upscaled, val saved: Uri?)

/** One photo that could not be done. */
data class Missed(val name: String, val failure: Failure)

/** Steps of the work; WAITING is for a benchmark to end, PAUSED for the phone to cool down. */
enum class Phase { WAITING, OPENING, PREPARING, TILES, PAUSED, SAVING }

/** States of the main screen. */
sealed interface ScreenState {
    /** Nothing chosen. */
    data object Idle : ScreenState

    /** Photos are being copied and measured, or what the last process left is being looked at. */
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

    /**
     * All photos were tried, or the work was cancelled after some; at least one succeeded.
     *
     * @property model name of the network that ran
     * @property before of the last finished photo
     * @property cancelled number of photos that were not tried any more
     */
    data class Done(
        val finished: List<Finished>,
        val missed: List<Missed>,
        val model: String,
        val before: Bitmap,
        val after: Bitmap,
        val saving: Saving = Saving.Not,
        val cancelled: Int = 0,
    ) : ScreenState {
        /** True if a result would be lost with this state. */
        val unsaved: Boolean get() = finished.any { it.saved == null }
    }

    /** Nothing succeeded; with [ready] it can be tried again. */
    data class Failed(val failure: Failure, val ready: Ready?) : ScreenState
}

/** Whether the shown results were saved. */
sealed interface Saving {
    data object Not : Saving
    data object Running : Saving
    data object InGallery : Saving
    data object InDocument : Saving
    data class Failed(val message: String) : Saving
}
