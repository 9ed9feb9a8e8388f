// Sentences for what the core reports; every word comes from the resources.
package org.mobilesr.app

import android.content.Context
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BadTrial
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.NotRun
import org.mobilesr.core.Precision
import org.mobilesr.core.Refusal
import org.mobilesr.core.RefusedModelException
import org.mobilesr.core.Thermal
import java.text.NumberFormat
import kotlin.math.roundToLong

/** Turns results and failures into text in the user's language. */
class Texts(private val context: Context) {
    /** What runs or ran: the accelerator and its precision or threads. */
    fun ran(request: EngineRequest): String = when {
        request.accelerator == Accelerator.NPU -> text(R.string.ran_npu)
        request.accelerator == Accelerator.GPU ->
            text(if (request.precision == Precision.FP16) R.string.ran_gpu_fp16 else R.string.ran_gpu_fp32)
        request.threads == 0 -> text(R.string.ran_cpu)
        else -> context.resources.getQuantityString(R.plurals.ran_cpu_threads, request.threads, request.threads)
    }

    /** Why what was wished for does not run, one line each; null if it does. */
    fun fallback(notRun: List<NotRun>): String? = notRun.takeIf { it.isNotEmpty() }?.joinToString("\n") { text(R.string.fallback, accelerator(it.accelerator), reason(it)) }

    /** As in the lists that it is chosen from. */
    fun accelerator(accelerator: Accelerator): String = text(
        when (accelerator) {
            Accelerator.NPU -> R.string.accelerator_npu
            Accelerator.GPU -> R.string.accelerator_gpu
            Accelerator.CPU -> R.string.accelerator_cpu
        },
    )

    /** One line on the state of the work. */
    fun progress(state: ScreenState.Working): String {
        val step = when (state.phase) {
            Phase.WAITING -> text(R.string.phase_waiting)
            Phase.PAUSED -> text(R.string.phase_paused)
            Phase.OPENING -> text(R.string.phase_opening)
            Phase.PREPARING -> text(R.string.phase_preparing)
            Phase.SAVING -> text(R.string.phase_saving)
            Phase.TILES -> tiles(state)
        }
        return if (state.photos.size == 1) step else text(R.string.progress_of_photos, state.index + 1, state.photos.size, step)
    }

    /** One line on what came out, for somebody who was not looking. */
    fun done(state: ScreenState.Done): String = listOfNotNull(
        context.resources.getQuantityString(R.plurals.done_many, state.finished.size, state.finished.size),
        cancelled(state),
        missed(state.missed),
    ).joinToString(" ")

    /** What was left out because the user cancelled, null if nothing was. */
    fun cancelled(state: ScreenState.Done): String? =
        if (state.cancelled == 0) null else context.resources.getQuantityString(R.plurals.done_cancelled, state.cancelled, state.cancelled)

    /** What could not be done: one photo with its reason, or their number and the first reason; null if there is none. */
    fun missed(missed: List<Missed>): String? = when (missed.size) {
        0 -> null
        1 -> text(R.string.done_some_failed, missed.single().name, failure(missed.single().failure))
        else -> context.resources.getQuantityString(R.plurals.done_several_failed, missed.size, missed.size, failure(missed.first().failure))
    }

    /** A duration, rounded as people would say it. */
    fun duration(seconds: Double): String {
        val whole = seconds.roundToLong()
        return when {
            seconds < 10 -> text(R.string.left_seconds, number(Math.round(seconds * 10) / 10.0))
            whole < 60 -> text(R.string.left_seconds, number(whole.toDouble()))
            whole < 3600 -> text(R.string.left_minutes, whole / 60, whole % 60)
            else -> text(R.string.left_hours, whole / 3600, whole / 60 % 60)
        }
    }

    /** A number with as many decimals as are worth reading. */
    fun number(value: Double): String = NumberFormat.getInstance().apply {
        maximumFractionDigits = if (value < 10) 2 else if (value < 100) 1 else 0
    }.format(value)

    /** What went wrong and what to do. */
    fun failure(failure: Failure): String = when (failure) {
        Failure.Unreadable -> text(R.string.failed_unreadable)
        Failure.Denied -> text(R.string.failed_denied)
        Failure.TooLarge -> text(R.string.failed_too_large)
        Failure.NoModel -> text(R.string.no_models)
        Failure.TimeUp -> text(R.string.failed_time)
        Failure.Interrupted -> text(R.string.failed_interrupted)
        Failure.Gone -> text(R.string.failed_gone)
        is Failure.FileTooLarge -> text(R.string.failed_file_too_large, failure.megabytes)
        is Failure.Space -> text(R.string.failed_space, failure.needed shr 20, failure.available shr 20)
        is Failure.OtherApp -> text(R.string.failed_other_app, failure.message)
        is Failure.Internal -> text(R.string.failed_internal, failure.message)
        is Failure.Said -> failure.text
        is Failure.Memory -> text(R.string.failed_memory, failure.needed shr 20, failure.available shr 20)
        is Failure.BrokenOutput -> text(R.string.failed_broken_output)
        is Failure.Engine -> text(R.string.failed_engine, failure.message)
        is Failure.Unusable -> text(R.string.failed_unusable, reason(NotRun(Accelerator.CPU, failure.check)))
        is Failure.Refused -> refusal(failure.reason)
        is Failure.Storage -> text(R.string.failed_storage, failure.message)
    }

    /** Why a model file is not taken. */
    fun refusal(e: RefusedModelException): String = text(
        when (e.reason) {
            Refusal.DAMAGED -> R.string.refusal_damaged
            Refusal.TENSOR_COUNT -> R.string.refusal_tensor_count
            Refusal.DYNAMIC_SHAPE -> R.string.refusal_dynamic_shape
            Refusal.NOT_RGB -> R.string.refusal_not_rgb
            Refusal.TYPE -> R.string.refusal_type
            Refusal.QUANTIZATION -> R.string.refusal_quantization
            Refusal.SCALE -> R.string.refusal_scale
            Refusal.HALO -> R.string.refusal_halo
            Refusal.CHECKSUM -> R.string.refusal_checksum
            Refusal.CARD -> R.string.refusal_card
        },
        e.detail,
    )

    /** How hot the phone is. */
    fun thermal(state: Thermal): String = text(
        when (state) {
            Thermal.UNKNOWN -> R.string.thermal_unknown
            Thermal.NONE -> R.string.thermal_none
            Thermal.LIGHT -> R.string.thermal_light
            Thermal.MODERATE -> R.string.thermal_moderate
            Thermal.SEVERE -> R.string.thermal_severe
            Thermal.CRITICAL -> R.string.thermal_critical
            Thermal.EMERGENCY -> R.string.thermal_emergency
            Thermal.SHUTDOWN -> R.string.thermal_shutdown
        },
    )

    private fun tiles(state: ScreenState.Working): String {
        val progress = state.progress ?: return text(R.string.phase_opening)
        val percent = NumberFormat.getPercentInstance().format(progress.fraction)
        val left = progress.secondsLeft ?: return percent
        return text(R.string.progress_left, percent, duration(left))
    }

    private fun reason(notRun: NotRun): String = when (val check = notRun.why) {
        CheckResult.NotFinite -> text(R.string.check_not_finite)
        CheckResult.Blank -> text(R.string.check_blank)
        is CheckResult.Different -> text(R.string.check_different)
        is CheckResult.Distrusted -> text(if (check.how == BadTrial.CRASHED) R.string.check_crashed else R.string.check_hung, accelerator(notRun.accelerator))
        is CheckResult.Failed -> text(R.string.check_failed, check.message)
        is CheckResult.Passed -> ""
    }

    private fun text(id: Int, vararg values: Any): String = context.getString(id, *values)
}
