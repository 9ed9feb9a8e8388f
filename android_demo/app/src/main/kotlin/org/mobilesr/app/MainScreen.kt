// The views of the main screen, set from the state and from nothing else.
package org.mobilesr.app

import android.app.Activity
import android.view.View
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import org.mobilesr.core.Accelerator

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
    private val changing = listOf(headline, progress, detail, warning, settings, primary, secondary, tertiary, empty, compare)
    private val shown = HashSet<View>()
    private var modelsKnown = false
    private val models = Choices<ModelEntry>(activity.findViewById(R.id.model)!!) { it.card.name }
    private val accelerators = Choices<Accelerator>(activity.findViewById(R.id.accelerator)!!) {
        activity.getString(if (it == Accelerator.GPU) R.string.accelerator_gpu else R.string.accelerator_cpu)
    }

    init {
        activity.findViewById<View>(R.id.open_models)!!.setOnClickListener { wishes.openModels() }
        activity.findViewById<View>(R.id.open_benchmark)!!.setOnClickListener { wishes.openBenchmark() }
        accelerators.offer(Accelerator.entries, services.settings.accelerator)
        accelerators.onChosen { services.settings.accelerator = it }
        models.onChosen { chosen ->
            services.settings.modelId = chosen.id
            (services.upscaling.state.value as? ScreenState.Ready)?.let { show(it) }
        }
    }

    /** Offers [usable], with the one of the settings chosen. */
    fun offer(usable: List<ModelEntry>) {
        modelsKnown = true
        models.offer(usable, services.models.choose(services.settings.modelId))
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
        if (modelsKnown && models.chosen == null && state !is ScreenState.Working) warn(activity.getString(R.string.no_models))
        // at the end and not in between: hiding a view for a moment would take its focus and its touch
        for (view in changing) view.show(view in shown)
    }

    private fun idle() {
        shown += empty
        settings()
        button(primary, R.string.choose_photos) { wishes.pick() }
    }

    private fun opening() {
        shown += empty
        headline(activity.getString(R.string.phase_opening))
        indeterminate()
    }

    private fun ready(state: ScreenState.Ready) {
        picture(state)
        val first = state.photos.first()
        val scale = models.chosen?.model?.shape?.scale ?: 1
        headline(
            activity.resources.getQuantityString(
                R.plurals.photos_ready, state.photos.size,
                first.name.orEmpty(), first.width, first.height, first.width * scale, first.height * scale, state.photos.size,
            ),
        )
        missed(state.missed)
        settings()
        button(secondary, R.string.choose_other) { wishes.pick() }
        button(primary, R.string.start) { wishes.start() }
        primary.isEnabled = models.chosen != null
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
        button(primary, R.string.cancel) { services.upscaling.cancel() }
    }

    private fun done(state: ScreenState.Done) {
        val last = state.finished.last()
        shown += compare
        compare.compare(state.before, state.after, last)
        headline(headlineOf(state))
        detail(
            activity.getString(
                R.string.done_what_ran, state.model, texts.ran(last.result.ran), texts.number(last.result.msPerTile), texts.duration(last.result.seconds),
            ),
        )
        last.result.fallback?.let { warn(texts.fallback(it)) }
        missed(state.missed)
        val saveable = state.saving !is Saving.InGallery && state.finished.any { it.saved == null }
        button(secondary, R.string.share) { wishes.share(state) }
        button(primary, R.string.save) { wishes.save(state) }
        primary.isEnabled = saveable && state.saving != Saving.Running
        button(tertiary, R.string.choose_other) { wishes.pick() }
        (state.saving as? Saving.Failed)?.let { warn(activity.getString(R.string.save_failed, it.message)) }
    }

    private fun headlineOf(state: ScreenState.Done): String {
        val last = state.finished.last().result
        return when {
            state.saving == Saving.Running -> activity.getString(R.string.phase_saving)
            state.finished.size > 1 && state.finished.all { it.saved != null } -> activity.getString(R.string.done_many_saved, state.finished.size)
            state.finished.size > 1 -> activity.getString(R.string.done_many, state.finished.size)
            state.saving == Saving.InGallery -> activity.getString(R.string.saved)
            state.saving == Saving.InDocument -> activity.getString(R.string.saved_document)
            else -> activity.getString(R.string.done_size, last.width, last.height)
        }
    }

    private fun failed(state: ScreenState.Failed) {
        val ready = state.ready
        if (ready == null) shown += empty else picture(ready)
        headline(activity.getString(R.string.failed_title))
        warn(texts.failure(state.failure))
        settings()
        button(secondary, R.string.choose_other) { wishes.pick() }
        if (ready != null) button(primary, R.string.try_again) { wishes.start() }
    }

    private fun picture(ready: ScreenState.Ready) {
        shown += compare
        compare.show(ready.before)
    }

    private fun settings() {
        if (models.chosen != null) shown += settings
    }

    private fun headline(text: String, spoken: Boolean = true) {
        shown += headline
        headline.accessibilityLiveRegion = if (spoken) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
        if (headline.text.toString() != text) headline.text = text
    }

    private fun detail(text: String) {
        shown += detail
        detail.text = text
    }

    private fun missed(missed: List<Missed>) = missed.forEach {
        warn(activity.getString(R.string.done_some_failed, it.name, texts.failure(it.failure)))
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
}
