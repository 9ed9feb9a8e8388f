package org.mobilesr.app

import android.app.Activity
import android.app.Application
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.WindowManager
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineException
import org.mobilesr.displayName
import org.mobilesr.runtimeFactory
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.concurrent.CountDownLatch
import javax.imageio.ImageIO

/** From a shared photo to a saved result, through the real activity, worker and runtime. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class UpscaleFlowTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val services get() = app.services

    @Before
    fun reset() = TestApp.reset()

    @Test
    @Config(sdk = [26, 35])
    fun `a shared photo is upscaled on the CPU after the GPU was tried, and equals Python's`() {
        val screen = open(share(app, "synthetic"))
        assertTrue(services.upscaling.state.value is ScreenState.Ready)
        screen.click(R.id.primary)
        settle(services)
        val done = services.upscaling.state.value as ScreenState.Done
        val result = done.finished.single().result
        assertEquals("synthetic_in_x4_detail.png", result.file.name)
        assertTrue(largestDifference(read(Made.expected("synthetic")).pixels, read(result.file).pixels) <= 1)
        assertEquals(Accelerator.CPU, result.ran.accelerator)
        assertTrue(result.notRun.single().why is CheckResult.Failed)
        assertTrue(screen.text(R.id.detail).contains("CPU"))
        assertTrue(screen.text(R.id.warning).startsWith("Not on the GPU: it refused"))
    }

    @Test
    fun `a GPU that passes the self-check runs and is named`() {
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) }
        val screen = open(share(app, "small")).apply { click(R.id.primary) }
        settle(services)
        assertTrue(screen.text(R.id.detail).contains("GPU (16-bit)"))
        assertFalse(screen.isShown(R.id.warning))
    }

    @Test
    fun `a GPU that answers black is not used, and the screen says so`() {
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> FloatArray(answer.size) } }
        val screen = open(share(app, "small")).apply { click(R.id.primary) }
        settle(services)
        assertEquals("Not on the GPU: its test picture came out blank.", screen.text(R.id.warning))
        assertTrue(screen.text(R.id.detail).contains("CPU"))
    }

    @Test
    fun `the CPU is used without trying the GPU when it is chosen`() {
        services.settings.accelerator = Accelerator.CPU
        val screen = open(share(app, "small")).apply { click(R.id.primary) }
        settle(services)
        assertFalse(screen.isShown(R.id.warning))
    }

    @Test
    fun `rotation and background change nothing, the screen stays on while working`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        val controller = Robolectric.buildActivity(MainActivity::class.java, share(app, "synthetic")).setup()
        settle(services)
        controller.get().click(R.id.primary)
        shadowOf(Looper.getMainLooper()).idle()
        assertTrue(keepsScreenOn(controller.get()))
        assertEquals("Cancel", controller.get().text(R.id.quiet))
        controller.pause().stop()
        controller.start().resume()
        controller.recreate()
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals("Cancel", controller.get().text(R.id.quiet))
        gate.countDown()
        settle(services)
        assertTrue(services.upscaling.state.value is ScreenState.Done)
        assertFalse(keepsScreenOn(controller.get()))
        assertEquals(0, services.upscaling.state.value.let { (it as ScreenState.Done).missed.size })
    }

    @Test
    fun `the work has a foreground service and a notification that can cancel`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        open(share(app, "synthetic")).click(R.id.primary)
        val started = shadowOf(app).nextStartedService
        assertEquals(UpscaleService::class.java.name, started.component!!.className)
        val service = Robolectric.buildService(UpscaleService::class.java, started).create().startCommand(0, 1)
        val notification = shadowOf(service.get()).lastForegroundNotification
        assertEquals("Cancel", notification.actions.single().title)
        gate.countDown()
        settle(services)
        assertTrue("ends with the work", shadowOf(service.get()).isStoppedBySelf)
    }

    @Test
    fun `cancel goes back to the chosen photo and leaves no file`() {
        val gate = CountDownLatch(1)
        var tiles = 0
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { if (++tiles > 2) gate.await() } } }
        val screen = open(share(app, "synthetic")).apply { click(R.id.primary) }
        shadowOf(Looper.getMainLooper()).idle()
        screen.click(R.id.quiet)
        gate.countDown()
        settle(services)
        assertTrue(services.upscaling.state.value is ScreenState.Ready)
        assertEquals("Upscale", screen.text(R.id.primary))
        assertEquals(0, services.results.list()!!.size)
    }

    @Test
    fun `an engine that dies in the middle is a message with a way on, and leaves no file`() {
        var tiles = 0
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> if (++tiles > 2) throw EngineException("device lost") else answer } }
        val screen = open(share(app, "synthetic")).apply { click(R.id.primary) }
        settle(services)
        assertEquals("The model failed: device lost", screen.text(R.id.warning))
        assertEquals("Try again", screen.text(R.id.primary))
        assertEquals(0, services.results.list()!!.size)
        TestApp.reset()
    }

    @Test
    fun `several photos - a bad one does not stop the others, results are in the gallery`() {
        val text = File.createTempFile("text", ".png").apply { writeText("no picture") }
        val uris = arrayListOf(sharedPhoto(app, Made.photo("small")), sharedPhoto(app, text, "text.png"), sharedPhoto(app, Made.photo("pixel")))
        val saved = (1..2).map { number -> ByteArrayOutputStream().also { shadowOf(app.contentResolver).registerOutputStream(galleryUri(number), it) } }
        val screen = open(Intent(Intent.ACTION_SEND_MULTIPLE).setType("image/*").putParcelableArrayListExtra(Intent.EXTRA_STREAM, uris))
        screen.click(R.id.primary)
        settle(services)
        val done = services.upscaling.state.value as ScreenState.Done
        assertEquals(2, done.finished.size)
        assertEquals(listOf(Missed("text.png", Failure.Unreadable)), done.missed)
        assertEquals("2 photos upscaled and saved to the gallery", screen.text(R.id.headline))
        assertEquals(listOf(280, 4), saved.map { ImageIO.read(it.toByteArray().inputStream()).width })
    }

    @Test
    fun `save puts the whole file into the gallery, once`() {
        val screen = finished()
        val bytes = ByteArrayOutputStream()
        shadowOf(app.contentResolver).registerOutputStream(galleryUri(1), bytes)
        screen.click(R.id.primary)
        settle(services)
        assertEquals("Saved to Pictures/Mobile SR", screen.text(R.id.headline))
        assertFalse("not twice", screen.findViewById<View>(R.id.primary)!!.isEnabled)
        val file = (services.upscaling.state.value as ScreenState.Done).finished.single().result.file
        assertEquals(file.readBytes().toList(), bytes.toByteArray().toList())
    }

    @Test
    @Config(sdk = [26])
    fun `before Android 10 the user chooses the place`() {
        val screen = finished()
        screen.click(R.id.primary)
        val asked = shadowOf(screen).nextStartedActivityForResult
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, asked.intent.action)
        val place = Uri.parse("content://documents.example/1")
        val bytes = ByteArrayOutputStream()
        shadowOf(app.contentResolver).registerOutputStream(place, bytes)
        shadowOf(screen).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(place))
        settle(services)
        assertEquals("Saved", screen.text(R.id.headline))
        assertEquals(280, ImageIO.read(bytes.toByteArray().inputStream()).width)
    }

    @Test
    fun `share offers a readable content URI`() {
        val screen = finished()
        screen.click(R.id.secondary)
        @Suppress("DEPRECATION")
        val sent: Intent = shadowOf(screen).nextStartedActivity.getParcelableExtra(Intent.EXTRA_INTENT)!!
        assertTrue(sent.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION != 0)
        val uri = sent.pictures().single()
        assertEquals("content", uri.scheme)
        assertEquals("small_in_x4_detail.png", app.contentResolver.displayName(uri))
        app.contentResolver.openFileDescriptor(uri, "r")!!.use { assertTrue(it.statSize > 100) }
    }

    @Test
    fun `the photo picker is asked, and its answer opened`() {
        val screen = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        settle(services)
        assertEquals("Choose photos", screen.text(R.id.primary))
        screen.click(R.id.primary)
        val asked = shadowOf(screen).nextStartedActivityForResult
        assertEquals("android.provider.action.PICK_IMAGES", asked.intent.action)
        val answer = Intent().apply { clipData = ClipData.newRawUri(null, sharedPhoto(app, Made.photo("small"))) }
        shadowOf(screen).receiveResult(asked.intent, Activity.RESULT_OK, answer)
        settle(services)
        assertTrue(services.upscaling.state.value is ScreenState.Ready)
    }

    @Test
    fun `a permission that was taken back is explained`() {
        val uri = Uri.parse("content://gallery.example/gone")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { throw SecurityException("denied") }
        val screen = open(Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, uri))
        assertTrue(screen.text(R.id.warning).contains("took back the permission"))
    }

    @Test
    fun `little memory - read by regions, the same result`() {
        (app as TestApp).freeMemory(24)
        services.settings.accelerator = Accelerator.CPU
        open(share(app, "synthetic")).click(R.id.primary)
        settle(services)
        val result = (services.upscaling.state.value as ScreenState.Done).finished.single().result
        assertTrue(largestDifference(read(Made.expected("synthetic")).pixels, read(result.file).pixels) <= 1)
    }

    @Test
    fun `too little memory is said before the work starts`() {
        (app as TestApp).freeMemory(5)
        val screen = open(share(app, "synthetic")).apply { click(R.id.primary) }
        settle(services)
        assertTrue(screen.text(R.id.warning), screen.text(R.id.warning).startsWith("Not enough memory: "))
        assertEquals(0, services.results.list()!!.size)
    }

    @Test
    fun `a second photo while one is worked on is not taken`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        open(share(app, "synthetic")).click(R.id.primary)
        assertFalse(services.upscaling.choose(listOf(sharedPhoto(app, Made.photo("small")))))
        gate.countDown()
        settle(services)
        assertSame(ScreenState.Done::class.java, services.upscaling.state.value.javaClass)
    }

    private fun finished(): MainActivity {
        services.settings.accelerator = Accelerator.CPU
        val screen = open(share(app, "small")).apply { click(R.id.primary) }
        settle(services)
        assertTrue(services.upscaling.state.value is ScreenState.Done)
        return screen
    }

    private fun open(intent: Intent): MainActivity {
        val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java, intent).setup()
        settle(services)
        return controller.get()
    }

    private fun keepsScreenOn(activity: Activity) =
        activity.window.attributes.flags and WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON != 0
}
