// The views of the main screen, set from the state and from nothing else.
package org.mobilesr.app

import android.app.Activity
import android.os.PowerManager
import android.view.View
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import org.mobilesr.UsableModel

/** What the user can wish for on the main screen. */
interface MainWishes {
    fun pick()
    fun start()
    fun save(done: ScreenState.Done)
    fun share(done: ScreenState.Done)
    fun openModels()
    fun openBenchmark()
}

/** Binds [ScreenState] to the layout. */
class MainScreen(private val activity: Activity, private val services: Services, private val wishes: MainWishes) {
    private val texts = Texts(activity)
    private val empty: View = activity.findViewById(R.id.empty)!!
    private val compare: BeforeAfterView = activity.findViewById(R.id.compare)!!
    private val headline: TextView = activity.findViewById(R.id.headline)!!
    private val detail: TextView = activity.findViewById(R.id.detail)!!
    private val warning: TextView = activity.findViewById(R.id.warning)!!
    private val progress: ProgressBar = activity.findViewById(R.id.progress)!!
    private val settings: View = activity.findViewById(R.id.settings)!!
    private val primary: Button = activity.findViewById(R.id.primary)!!
    private val secondary: Button = activity.findViewById(R.id.secondary)!!
    private val tertiary: Button = activity.findViewById(R.id.tertiary)!!
    private val quiet: Button = activity.findViewById(R.id.quiet)!!
    private val spoken: TextView = activity.findViewById(R.id.spoken)!!
    private val changing = listOf(headline, progress, detail, warning, settings, primary, secondary, tertiary, quiet, empty, compare)
    private val shown = HashSet<View>()
    private var modelsKnown = false
    private val choices = SettingsPanel(activity, services) { show(services.upscaling.state.value) }

    init {
        activity.findViewById<View>(R.id.open_models)!!.setOnClickListener { wishes.openModels() }
        activity.findViewById<View>(R.id.open_benchmark)!!.setOnClickListener { wishes.openBenchmark() }
    }

    /** Offers [usable], with the one of the settings chosen. */
    fun offer(usable: List<UsableModel>) {
        modelsKnown = true
        choices.offer(usable)
        show(services.upscaling.state.value)
    }

    /** Shows [state]. */
    fun show(state: ScreenState) {
        shown.clear()
        when (state) {
            ScreenState.Idle -> idle()
            ScreenState.Opening -> opening()
            is ScreenState.Ready -> ready(state)
            is ScreenState.Working -> working(state)
            is ScreenState.Done -> done(state)
            is ScreenState.Failed -> failed(state)
        }
        if (modelsKnown && choices.model == null && state !is ScreenState.Working) warn(activity.getString(R.string.no_models))
        // at the end and not in between: hiding a view for a moment would take its focus and its touch
        for (view in changing) view.show(view in shown)
    }

    private fun idle() {
        shown += empty
        button(primary, R.string.choose_photos) { wishes.pick() }
    }

    private fun opening() {
        shown += empty
        headline(activity.getString(R.string.phase_opening))
        indeterminate()
        button(quiet, R.string.cancel) { services.upscaling.cancel() }
    }

    private fun ready(state: ScreenState.Ready) {
        picture(state)
        val first = state.photos.first()
        val (width, height) = services.settings.output.dimensions(first.width, first.height, choices.model?.scale ?: 1)
        val name = first.name.orEmpty()
        headline(
            if (state.photos.size == 1) {
                activity.getString(R.string.photo_ready, name, first.width, first.height, width, height)
            } else {
                activity.resources.getQuantityString(R.plurals.photos_ready, state.photos.size, state.photos.size, first.width, first.height, width, height)
            },
        )
        val large = width.toLong() * height > LARGE_PIXELS
        val details = listOfNotNull(if (large) activity.getString(R.string.large_result, width.toLong() * height / 1_000_000) else null, slow())
        if (details.isNotEmpty()) detail(details.joinToString("\n"))
        texts.missed(state.missed)?.let { warn(it) }
        settings()
        button(secondary, R.string.choose_other) { wishes.pick() }
        button(primary, R.string.start) { wishes.start() }
        primary.isEnabled = choices.model != null
    }

    private fun working(state: ScreenState.Working) {
        shown += compare
        compare.show(state.before)
        headline(texts.progress(state), spoken = false) // a screen reader would speak without end
        val tiles = state.progress
        if (tiles == null) indeterminate() else {
            shown += progress
            progress.isIndeterminate = false
            progress.progress = (tiles.fraction * progress.max).toInt()
        }
        slow()?.let { detail(it) }
        say(if (tiles == null) texts.progress(state) else activity.getString(R.string.spoken_progress, (tiles.fraction * 4).toInt() * 25))
        button(quiet, R.string.cancel) { services.upscaling.cancel() }
    }

    /** Whoever saves the battery and starts the work all the same is told, not stopped. */
    private fun slow(): String? =
        if (activity.getSystemService(PowerManager::class.java)!!.isPowerSaveMode) activity.getString(R.string.battery_saver) else null

    private fun done(state: ScreenState.Done) {
        val last = state.finished.last()
        shown += compare
        compare.compare(state.before, state.after, last)
        headline(headlineOf(state))
        say(headline.text.toString())
        detail(activity.getString(R.string.done_what_ran, state.model, texts.ran(last.result.ran), texts.duration(last.result.seconds)))
        texts.fallback(last.result.notRun)?.let { warn(it) }
        texts.cancelled(state)?.let { warn(it) }
        texts.missed(state.missed)?.let { warn(it) }
        (state.saving as? Saving.Failed)?.let { warn(activity.getString(R.string.save_failed, it.message)) }
        settings()
        button(secondary, R.string.share) { wishes.share(state) }
        button(primary, R.string.save) { wishes.save(state) }
        primary.isEnabled = state.unsaved && state.saving != Saving.Running
        button(tertiary, R.string.again) { wishes.start() }
        tertiary.isEnabled = state.saving != Saving.Running && choices.model != null
        button(quiet, R.string.choose_other) { wishes.pick() }
    }

    private fun headlineOf(state: ScreenState.Done): String {
        val last = state.finished.last().result
        val count = state.finished.size
        return when {
            state.saving == Saving.Running -> activity.getString(R.string.phase_saving)
            count > 1 && !state.unsaved -> activity.resources.getQuantityString(R.plurals.done_many_saved, count, count)
            count > 1 -> activity.resources.getQuantityString(R.plurals.done_many, count, count)
            state.saving == Saving.InDocument -> activity.getString(R.string.saved_document)
            !state.unsaved -> activity.getString(R.string.saved)
            else -> activity.getString(R.string.done_size, last.width, last.height)
        }
    }

    private fun failed(state: ScreenState.Failed) {
        val ready = state.ready
        if (ready == null) shown += empty else picture(ready)
        headline(activity.getString(R.string.failed_title))
        warn(texts.failure(state.failure))
        if (ready == null) {
            button(primary, R.string.choose_other) { wishes.pick() }
        } else {
            settings()
            button(secondary, R.string.choose_other) { wishes.pick() }
            button(primary, R.string.try_again) { wishes.start() }
        }
    }

    private fun picture(ready: ScreenState.Ready) {
        shown += compare
        compare.show(ready.before)
    }

    private fun settings() {
        if (choices.model != null) shown += settings
    }

    private fun headline(text: String, spoken: Boolean = true) {
        shown += headline
        headline.accessibilityLiveRegion = if (spoken) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
        if (headline.text.toString() != text) headline.text = text
    }

    /** A live region of its own: spoken at each quarter of the work and at its end, wherever the focus is. */
    private fun say(text: String) {
        if (spoken.text.toString() != text) spoken.text = text
    }

    private fun detail(text: String) {
        shown += detail
        detail.text = text
    }

    /** Adds a line to the warning. */
    private fun warn(text: String) {
        warning.text = if (warning in shown) "${warning.text}\n$text" else text
        shown += warning
    }

    private fun indeterminate() {
        shown += progress
        progress.isIndeterminate = true
    }

    private fun button(button: Button, text: Int, onClick: () -> Unit) {
        shown += button
        button.isEnabled = true
        button.setText(text)
        button.setOnClickListener { onClick() }
    }

    private companion object {
        /** Larger pictures are refused by many apps that people send them to. */
        const val LARGE_PIXELS = 100_000_000L
    }
}
