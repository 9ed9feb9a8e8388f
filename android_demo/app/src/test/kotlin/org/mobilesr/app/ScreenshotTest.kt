package org.mobilesr.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.CheckBox
import android.widget.ImageButton
import android.widget.ScrollView
import android.widget.Spinner
import android.widget.TextView
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.Photo
import org.mobilesr.PhotoUpscaler
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BenchmarkResult
import org.mobilesr.core.CancelToken
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.NotRun
import org.mobilesr.core.Output
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.Progress
import org.mobilesr.core.Thermal
import org.mobilesr.core.Timings
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File
import kotlin.math.abs

/**
 * Every screen in every state, compared with the pictures in `screenshots/`.
 *
 * `-Dupdate.screenshots=true` writes them anew; look at them before committing. Timings and benchmark numbers on them are made
 * up by this test; the photo is real and really enlarged by the model that ships.
 */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreenshotTest {
    private val app = RuntimeEnvironment.getApplication()
    private val services get() = app.services

    @Before
    fun reset() {
        TestApp.reset()
        TestApp.folder = "shipped"
    }

    @Test
    @Config(qualifiers = PHONE)
    fun `phone by day`() {
        main("phone-idle", ScreenState.Idle)
        working("phone")
        main("phone-failed", ScreenState.Failed(Failure.Memory(812L shl 20, 230L shl 20), ready(photo())))
        services.models.add(sharedPhoto(app, Made.other("nearest-x2")))
        shoot("phone-models", open(ModelsActivity::class.java).get())
        val refused = open(ModelsActivity::class.java).get()
        refused.add(sharedPhoto(app, Made.other("grey")))
        settle(services)
        shoot("phone-models-refused", refused)
        shoot("phone-benchmark", open(BenchmarkActivity::class.java).get())
        benchmarked("phone")
    }

    @Test
    @Config(qualifiers = PHONE_NIGHT)
    fun `phone by night`() {
        working("phone-night")
        main("phone-night-done-cpu", done(photo(), fallback = CheckResult.Different(143.0, 40.0)))
    }

    @Test
    @Config(qualifiers = PHONE_LANDSCAPE)
    fun `phone on its side`() = working("phone-land")

    @Test
    @Config(qualifiers = TABLET)
    fun tablet() {
        working("tablet")
        benchmarked("tablet")
    }

    @Test
    @Config(qualifiers = TABLET_PORTRAIT)
    fun `tablet upright`() {
        main("tablet-port-done", done(photo()))
    }

    @Test
    @Config(qualifiers = LARGE_TEXT)
    fun `large text on a small phone`() {
        RuntimeEnvironment.setFontScale(1.6f)
        main("large-text-idle", ScreenState.Idle)
        main("large-text-done", done(photo(), fallback = CheckResult.Blank))
    }

    @Test
    @Config(qualifiers = PHONE)
    fun `nothing lies under the system bars`() {
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        settle(services)
        layOutWithBars(controller.get(), top = 60, bottom = 90)
        val decor = controller.get().window.decorView
        for (view in touchable(decor)) {
            val place = IntArray(2).also { view.getLocationInWindow(it) }
            assertTrue("$view", place[1] >= 60 && place[1] + view.height <= decor.height - 90)
        }
    }

    @Test
    @Config(qualifiers = PHONE)
    fun `everything that can be touched has a name and is large enough`() {
        for (activity in listOf(main(null, done(photo())), open(ModelsActivity::class.java).get(), open(BenchmarkActivity::class.java).get())) {
            val density = activity.resources.displayMetrics.density
            for (view in touchable(activity.window.decorView)) {
                val name = view.contentDescription ?: (view as? Button)?.text ?: labelOf(view, activity)
                assertTrue("$view in $activity has no name", !name.isNullOrBlank())
                assertTrue("$name is ${view.height} high", view.height >= 48 * density - 1 && view.width >= 48 * density - 1)
            }
        }
    }

    /** Before, during, after. */
    private fun working(device: String) {
        val ready = ready(photo())
        main("$device-ready", ready)
        main("$device-working", ScreenState.Working(ready.photos, 0, ready.before, Phase.TILES, Progress(37, 96, 74.0)))
        main("$device-done", done(ready.photos.single()))
    }

    private fun benchmarked(device: String) {
        services.benchmark.state.value = BenchmarkState(listOf(measured()), null, null)
        val benchmark = open(BenchmarkActivity::class.java).get()
        scrollDown(benchmark)
        shoot("$device-benchmark-result", benchmark)
    }

    /** A real photo, see the README for whose it is. */
    private fun photo() = Photo.of(File("../screenshots/photo.jpg"), "spices.jpg")

    private fun ready(photo: Photo) = ScreenState.Ready(listOf(photo), emptyList(), photo.preview(1600))

    private fun done(photo: Photo, fallback: CheckResult? = null): ScreenState.Done {
        val model = services.models.usable().first()
        val request = EngineRequest(Accelerator.CPU, threads = 2)
        val target = File(services.results, "spices.png").apply { delete() }
        val result = PhotoUpscaler(app, services.runtime, services.models, model, request, null).use {
            it.run(photo, target, Output(format = PictureFormat.PNG), CancelToken()) {}
        }
        val ran = if (fallback == null) EngineRequest(Accelerator.GPU) else EngineRequest(Accelerator.CPU, threads = 4)
        val finished = Finished(photo, result.copy(ran = ran, notRun = listOfNotNull(fallback?.let { NotRun(Accelerator.GPU, it) }), seconds = 1.2), null)
        return ScreenState.Done(listOf(finished), emptyList(), model.name, photo.preview(1600), Photo.of(target, null).preview(1600))
    }

    private fun measured() = BenchmarkResult(
        model = "lkdn-s-x4", recipe = "float16", runtime = services.runtime.runtime,
        wanted = EngineRequest(Accelerator.GPU), ran = EngineRequest(Accelerator.CPU, threads = 4),
        notRun = listOf(NotRun(Accelerator.GPU, CheckResult.Failed("Some ops are not accelerated"))), initMs = 412.3, warmup = Timings.of(listOf(31.0, 19.2)),
        tiles = Timings.of(listOf(18.1, 18.4, 18.9, 22.7)), megapixelsPerSecond = 0.878, thermalBefore = Thermal.NONE, thermalAfter = Thermal.LIGHT,
        device = "test",
    )

    private fun main(name: String?, state: ScreenState): MainActivity {
        settle(services) // what the last process left is looked at first
        services.upscaling.state.value = state
        val activity = open(MainActivity::class.java).get()
        if (name != null) shoot(name, activity)
        return activity
    }

    private fun <T : Activity> open(screen: Class<T>): ActivityController<T> {
        val controller = Robolectric.buildActivity(screen, Intent()).setup()
        settle(services)
        val density = controller.get().resources.displayMetrics.density
        layOutWithBars(controller.get(), (STATUS_DP * density).toInt(), (NAVIGATION_DP * density).toInt())
        return controller
    }

    private fun scrollDown(activity: Activity) {
        val results = activity.findViewById<View>(R.id.results)!!
        val scroll = generateSequence(results.parent) { it.parent }.first { it is ScrollView } as ScrollView
        scroll.scrollTo(0, scroll.getChildAt(0).height - scroll.height)
    }

    private fun shoot(name: String, activity: Activity) {
        shadowOf(Looper.getMainLooper()).idle()
        val decor = activity.window.decorView
        layOutWithBars(activity, (STATUS_DP * decor.resources.displayMetrics.density).toInt(), (NAVIGATION_DP * decor.resources.displayMetrics.density).toInt())
        val picture = Bitmap.createBitmap(decor.width, decor.height, Bitmap.Config.ARGB_8888)
        decor.draw(Canvas(picture))
        val golden = File("../screenshots/$name.png")
        if (System.getProperty("update.screenshots") == "true") return write(picture, golden)
        val difference = if (golden.exists()) difference(picture, BitmapFactory.decodeFile(golden.path)) else 1.0
        if (difference > TOLERATED) {
            val actual = File("target/screenshots/$name.png")
            write(picture, actual)
            throw AssertionError("$name: %.2f%% of the pixels differ from $golden; see $actual".format(difference * 100))
        }
    }

    private fun write(picture: Bitmap, file: File) {
        file.parentFile!!.mkdirs()
        file.outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
    }

    /** Fraction of pixels that a person could tell apart. */
    private fun difference(a: Bitmap, b: Bitmap): Double {
        if (a.width != b.width || a.height != b.height) return 1.0
        val (p, q) = listOf(a, b).map { bitmap -> IntArray(a.width * a.height).also { bitmap.getPixels(it, 0, a.width, 0, 0, a.width, a.height) } }
        return p.indices.count { i -> intArrayOf(0, 8, 16).any { abs((p[i] ushr it and 255) - (q[i] ushr it and 255)) > VISIBLE } } / p.size.toDouble()
    }

    private fun touchable(root: View): List<View> = when {
        root.visibility != View.VISIBLE -> emptyList()
        root is Spinner || root is Button || root is ImageButton || root is CheckBox || root is BeforeAfterView -> listOf(root)
        root is ViewGroup -> (0 until root.childCount).flatMap { touchable(root.getChildAt(it)) }
        else -> emptyList()
    }

    private fun labelOf(view: View, activity: Activity): CharSequence? {
        fun find(root: View): CharSequence? = when {
            root is TextView && root.labelFor == view.id -> root.text
            root is ViewGroup -> (0 until root.childCount).firstNotNullOfOrNull { find(root.getChildAt(it)) }
            else -> null
        }
        return find(activity.window.decorView)
    }

    private companion object {
        const val PHONE = "w360dp-h740dp-port-notnight-hdpi"
        const val PHONE_NIGHT = "w360dp-h740dp-port-night-hdpi"
        const val PHONE_LANDSCAPE = "w740dp-h360dp-land-notnight-hdpi"
        const val TABLET_PORTRAIT = "sw800dp-w800dp-h1280dp-port-notnight-mdpi"
        const val TABLET = "sw800dp-w1280dp-h800dp-land-notnight-mdpi"
        const val LARGE_TEXT = "w320dp-h640dp-port-notnight-hdpi"
        const val STATUS_DP = 24
        const val NAVIGATION_DP = 24
        const val VISIBLE = 16
        const val TOLERATED = 0.002
    }
}
