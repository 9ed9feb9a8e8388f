package org.mobilesr.app

import android.app.AlertDialog
import android.app.Application
import android.app.NotificationManager
import android.content.Intent
import android.graphics.Rect
import android.net.Uri
import android.os.Looper
import android.os.PowerManager
import android.view.View
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BadTrial
import org.mobilesr.core.BenchmarkPlan
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.NotRun
import org.mobilesr.core.programKey
import org.mobilesr.runtimeFactory
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowPowerManager
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import javax.imageio.ImageIO

/** Everything that happens to an app on a real phone between a photo and its result. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class RobustnessTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val services get() = app.services
    private val state get() = services.upscaling.state.value

    @Before
    fun reset() = TestApp.reset()

    @Test
    fun `a library that cannot be loaded is a sentence, and the next photo can be tried`() {
        TestApp.runtimes = { ThrowingFactory(runtimeFactory(it)) { UnsatisfiedLinkError("dlopen failed: 16 KB pages") } }
        val screen = openMain(services, share(app, "small")).get().apply { click(R.id.primary) }
        settle(services)
        assertTrue("$state", (state as ScreenState.Failed).failure is Failure.Engine)
        assertTrue("16 KB pages" in screen.text(R.id.warning))
        assertFalse(services.upscaling.isBusy)
        assertTrue(services.upscaling.choose(listOf(sharedPhoto(app, Made.photo("pixel")))))
    }

    @Test
    fun `any other error of the app is a sentence too`() {
        TestApp.runtimes = { ThrowingFactory(runtimeFactory(it)) { StackOverflowError("deep") } }
        openMain(services, share(app, "small")).get().click(R.id.primary)
        settle(services)
        assertEquals(Failure.Internal("StackOverflowError: deep"), (state as ScreenState.Failed).failure)
    }

    @Test
    fun `twenty photos that cannot be read leave the button on the screen`() {
        val text = File.createTempFile("text", ".png").apply { writeText("no picture") }
        val uris = (1..20).map { sharedPhoto(app, text, "holiday-$it.png") } + sharedPhoto(app, Made.photo("small"))
        RuntimeEnvironment.setQualifiers("w360dp-h740dp-port-xhdpi")
        val screen = openMain(services, shareAll(uris)).get()
        layOutWithBars(screen, 48, 48)
        val button = screen.findViewById<View>(R.id.primary)!!
        val seen = Rect()
        assertTrue("Upscale is on the screen", button.getGlobalVisibleRect(seen) && seen.height() == button.height && button.height > 0)
        assertTrue("and so is the photo", screen.findViewById<View>(R.id.compare)!!.height > screen.window.decorView.height / 4)
        assertEquals("20 photos failed. The first: This file cannot be read as a picture.", screen.text(R.id.warning))
    }

    @Test
    fun `opened again from Recents, the result is still there and nothing is shared in a second time`() {
        services.settings.accelerator = Accelerator.CPU
        val first = openMain(services, share(app, "small"))
        first.get().click(R.id.primary)
        settle(services)
        assertTrue(state is ScreenState.Done)
        first.pause().stop().destroy()
        val gone = Uri.parse("content://gallery.example/gone")
        shadowOf(app.contentResolver).registerInputStreamSupplier(gone) { throw SecurityException("no grant any more") }
        val again = Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, gone).addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY)
        openMain(services, again)
        assertTrue("$state", state is ScreenState.Done)
    }

    @Test
    fun `the end of the process loses no finished result`() {
        services.settings.accelerator = Accelerator.CPU
        openMain(services, share(app, "small")).get().click(R.id.primary)
        settle(services)
        val before = (state as ScreenState.Done).finished.single()
        val next = Services(app, services.runtime) // as the next process makes it
        settle(next)
        val after = next.upscaling.state.value as ScreenState.Done
        assertEquals(before.result, after.finished.single().result)
        assertTrue("still to be saved", after.unsaved)
        assertTrue(after.finished.single().result.file.exists())
    }

    @Test
    fun `the end of the process in the middle of the work is told, and the photo is there to try again`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        openMain(services, share(app, "synthetic")).get().click(R.id.primary)
        services.models.usable() // the engine thread has written its note once it asks for the models' golden tile
        val next = untilWorking()
        assertEquals(Failure.Interrupted, (next as ScreenState.Failed).failure)
        assertEquals(150, next.ready!!.photos.single().width)
        gate.countDown()
        settle(services)
    }

    /** What a next process would show, once this one has begun to work. */
    private fun untilWorking(): ScreenState {
        while (true) {
            val next = Services(app, services.runtime)
            settle(next)
            next.upscaling.state.value.let { if (it is ScreenState.Failed) return it }
        }
    }

    @Test
    fun `another photo does not throw an unsaved result away without a question`() {
        services.settings.accelerator = Accelerator.CPU
        val controller = openMain(services, share(app, "small"))
        controller.get().click(R.id.primary)
        settle(services)
        controller.newIntent(share(app, "pixel"))
        settle(services)
        assertTrue("the result stays", state is ScreenState.Done)
        (ShadowAlertDialog.getLatestDialog() as AlertDialog).getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        settle(services)
        assertEquals(1, (state as ScreenState.Ready).photos.single().width)
    }

    @Test
    @Config(sdk = [26])
    fun `a place chosen for a result that is gone is cleared away, and told`() {
        val screen = openMain(services).get()
        services.upscaling.save(Uri.parse("content://documents.example/document/1"))
        settle(services)
        assertEquals(Failure.Gone, (state as ScreenState.Failed).failure)
        assertTrue(screen.text(R.id.warning).startsWith("The result is no longer there"))
    }

    @Test
    fun `cancel in the second photo says that the first is in the gallery`() {
        val saved = ByteArrayOutputStream().also { shadowOf(app.contentResolver).registerOutputStream(galleryUri(1), it) }
        services.settings.accelerator = Accelerator.CPU
        val uris = listOf(sharedPhoto(app, Made.photo("small"), "one.png"), sharedPhoto(app, Made.photo("synthetic"), "two.png"))
        val screen = openMain(services, shareAll(uris)).get()
        val inSecond = CountDownLatch(1)
        services.upscaling.state.watch { if (it is ScreenState.Working && it.index == 1) services.upscaling.cancel().also { inSecond.countDown() } }
        screen.click(R.id.primary)
        while (inSecond.count > 0) idle()
        settle(services)
        val done = state as ScreenState.Done
        assertEquals(1 to 1, done.finished.size to done.cancelled)
        assertTrue(saved.size() > 0)
        assertEquals("Cancelled before the last 1 photo.", screen.text(R.id.warning))
        assertEquals("1 result, 1 in the gallery", 1, services.results.list()!!.size)
    }

    @Test
    fun `cancel while the model loads answers at once`() {
        val gate = CountDownLatch(1)
        val loading = CountDownLatch(1)
        TestApp.runtimes = { real -> PretendGpu(runtimeFactory(real)) { answer -> answer.also { loading.countDown(); gate.await() } } }
        val screen = openMain(services, share(app, "small")).get()
        screen.click(R.id.primary)
        assertTrue(loading.await(60, TimeUnit.SECONDS))
        idle()
        screen.click(R.id.quiet)
        idle()
        assertEquals("Upscale", screen.text(R.id.primary))
        gate.countDown()
        settle(services)
        assertTrue("the late answer changes nothing", state is ScreenState.Ready)
    }

    @Test
    fun `done in the background is told by a notification, which goes when somebody looks`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        val screen = openMain(services, share(app, "small"))
        screen.get().click(R.id.primary)
        Robolectric.buildService(UpscaleService::class.java, shadowOf(app).nextStartedService).create().startCommand(0, 1)
        screen.pause().stop()
        gate.countDown()
        settle(services)
        val manager = app.getSystemService(NotificationManager::class.java)!!
        assertEquals(listOf("Your photos are ready"), manager.activeNotifications.map { it.notification.extras.getString("android.title") })
        screen.restart().start().resume()
        idle()
        assertEquals(0, manager.activeNotifications.size)
    }

    @Test
    fun `in the foreground no notification repeats what the screen says`() {
        services.settings.accelerator = Accelerator.CPU
        openMain(services, share(app, "small")).get().click(R.id.primary)
        Robolectric.buildService(UpscaleService::class.java, shadowOf(app).nextStartedService).create().startCommand(0, 1)
        settle(services)
        assertEquals(0, app.getSystemService(NotificationManager::class.java)!!.activeNotifications.size)
    }

    @Test
    fun `the processor stays awake while photos are worked on, with a limit, and sleeps after`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        openMain(services, share(app, "small")).get().click(R.id.primary)
        val service = Robolectric.buildService(UpscaleService::class.java, shadowOf(app).nextStartedService).create().startCommand(0, 1)
        val lock = ShadowPowerManager.getLatestWakeLock()
        assertTrue("held with the screen off", lock.isHeld)
        gate.countDown()
        settle(services)
        service.destroy()
        assertFalse(lock.isHeld)
        val permissions = app.packageManager.getPackageInfo(app.packageName, android.content.pm.PackageManager.GET_PERMISSIONS).requestedPermissions!!
        assertTrue(android.Manifest.permission.WAKE_LOCK in permissions)
    }

    @Test
    fun `results of last week are cleared away at the start, today's and the shown one are not`() {
        services.settings.accelerator = Accelerator.CPU
        openMain(services, share(app, "small")).get().click(R.id.primary)
        settle(services)
        val shown = (state as ScreenState.Done).finished.single().result.file
        val (old, new) = listOf("old.png", "new.png").map { File(services.results, it).apply { writeText("x") } }
        val lastWeek = System.currentTimeMillis() - 7L * 24 * 3600 * 1000
        for (file in listOf(shown, old)) assertTrue(file.setLastModified(lastWeek))
        settle(Services(app, services.runtime))
        assertEquals(listOf(true, false, true), listOf(shown, old, new).map { it.exists() })
    }

    @Test
    fun `battery saver is said, before and while it makes the work slow`() {
        shadowOf(app.getSystemService(PowerManager::class.java)).setIsPowerSaveMode(true)
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        val screen = openMain(services, share(app, "small")).get()
        assertTrue(screen.text(R.id.detail), "Battery saver is on" in screen.text(R.id.detail))
        screen.click(R.id.primary)
        idle()
        assertTrue(screen.isShown(R.id.detail) && "Battery saver is on" in screen.text(R.id.detail))
        gate.countDown()
        settle(services)
        assertFalse("Battery saver is on" in screen.text(R.id.detail))
    }

    @Test
    fun `a hundred tiles a second are two notifications a second`() {
        val photo = services.apply { settle(this) }.let { org.mobilesr.Photo.of(Made.photo("small"), "small.png") }
        val service = Robolectric.buildService(UpscaleService::class.java, Intent()).create().startCommand(0, 1)
        val manager = shadowOf(app.getSystemService(NotificationManager::class.java)!!)
        fun tile(done: Int) = ScreenState.Working(listOf(photo), 0, photo.preview(100), Phase.TILES, org.mobilesr.core.Progress(done, 1000, null))
        var updates = 0
        var last: Any? = manager.getNotification(Notifications.WORK)
        for (done in 1..200) {
            services.upscaling.state.value = tile(done)
            shadowOf(Looper.getMainLooper()).idleFor(10, TimeUnit.MILLISECONDS)
            val now = manager.getNotification(Notifications.WORK)
            if (now !== last) updates++
            last = now
        }
        assertTrue("$updates in two seconds", updates in 3..5)
        service.destroy()
    }

    @Test
    fun `a photo shared in while the benchmark runs is opened, and starting it says what it waits for`() {
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        val entry = services.models.all().first()
        services.benchmark.start(entry, BenchmarkPlan(EngineRequest(Accelerator.GPU), 1, 5))
        val screen = Robolectric.buildActivity(MainActivity::class.java, share(app, "small")).setup().get()
        repeat(2) {
            services.ioThread.submit { }.get()
            services.fileThread.submit { }.get()
            idle()
        }
        assertTrue("$state", state is ScreenState.Ready)
        screen.click(R.id.primary)
        idle()
        assertEquals("Waiting for the benchmark to end…", screen.text(R.id.headline))
        assertTrue(screen.isShown(R.id.quiet))
        services.benchmark.cancel()
        gate.countDown()
        settle(services)
        assertTrue("$state", state is ScreenState.Done)
    }

    @Test
    fun `an import that takes long can be cancelled`() {
        val gate = CountDownLatch(1)
        val slow = Uri.parse("content://drive.example/slow")
        shadowOf(app.contentResolver).registerInputStreamSupplier(slow) { gate.await(); Made.photo("small").inputStream() }
        val screen = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        settle(services)
        services.upscaling.choose(listOf(slow))
        idle()
        screen.click(R.id.quiet)
        idle()
        assertEquals(ScreenState.Idle, state)
        gate.countDown()
        settle(services)
        assertEquals("what comes too late is not shown", ScreenState.Idle, state)
    }

    @Test
    fun `whatever the other app throws is a sentence, not a crash`() {
        val uri = Uri.parse("content://broken.example/1")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { throw IllegalStateException("their database") }
        val screen = openMain(services, Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, uri)).get()
        assertTrue("$state", (state as ScreenState.Failed).failure is Failure.OtherApp)
        assertTrue("their database" in screen.text(R.id.warning))
    }

    @Test
    fun `a GPU that ended the app last time is not asked, until it is chosen anew`() {
        val network = services.models.usable().first()
        services.gpuTrial.begin(programKey(network.models.first(), services.settings.requestFor(network), services.runtime.fingerprint))
        val next = Services(app, PretendGpu(services.runtime)) // the process was killed inside the driver
        settle(next)
        next.upscaling.choose(listOf(sharedPhoto(app, Made.photo("small"))))
        settle(next)
        next.upscaling.start()
        settle(next)
        val result = (next.upscaling.state.value as ScreenState.Done).finished.single().result
        assertEquals(Accelerator.CPU, result.ran.accelerator)
        assertEquals(listOf(NotRun(Accelerator.GPU, CheckResult.Distrusted(BadTrial.CRASHED))), result.notRun)
        next.gpuTrial.forget()
        next.upscaling.start()
        settle(next)
        assertEquals(emptyList<NotRun>(), (next.upscaling.state.value as ScreenState.Done).finished.single().result.notRun)
    }

    @Test
    fun `a GPU that never answers is left behind, and the photo comes from the CPU`() {
        val never = CountDownLatch(1)
        val hanging = PretendGpu(services.runtime) { answer -> answer.also { never.await() } }
        val next = Services(app, hanging, gpuLimitMs = 3000)
        settle(next)
        next.upscaling.choose(listOf(sharedPhoto(app, Made.photo("small"))))
        settle(next)
        next.upscaling.start()
        while (next.upscaling.isBusy) idle()
        assertTrue("${next.upscaling.state.value}", next.upscaling.state.value is ScreenState.Done)
        val result = (next.upscaling.state.value as ScreenState.Done).finished.single().result
        assertEquals(Accelerator.CPU, result.ran.accelerator)
        assertEquals(listOf(NotRun(Accelerator.GPU, CheckResult.Distrusted(BadTrial.HUNG))), result.notRun)
    }

    @Test
    fun `the CPU gets as many threads as the fast cores, and the screen says how many`() {
        services.settings.accelerator = Accelerator.CPU
        openMain(services, share(app, "small")).get().click(R.id.primary)
        settle(services)
        assertTrue((state as ScreenState.Done).finished.single().result.ran.threads in 1..4)
        assertEquals("not the background cores", Thread.NORM_PRIORITY, services.engineThread.submit { Thread.currentThread().priority }.get())
    }

    @Test
    fun `the notification permission is asked for once`() {
        val screen = openMain(services, share(app, "pixel")).get()
        screen.click(R.id.primary)
        settle(services)
        assertNotNull(shadowOf(screen).lastRequestedPermission)
        assertTrue(services.settings.askedForNotifications)
        val second = openMain(services).get()
        services.upscaling.state.value.let { assertTrue(it is ScreenState.Done) }
        second.click(R.id.primary)
        settle(services)
        assertNull(shadowOf(second).lastRequestedPermission)
    }

    @Test
    fun `a model whose name ends like another's does not delete it`() {
        val store = services.models
        val before = File(app.filesDir, "built-in").apply { mkdirs() }
        store.all()
        val other = File(before, "0123456789abcdef-very-detail-x4.tflite").apply { writeText("another model") }
        before.listFiles()!!.filter { it.name.endsWith("-detail-x4.tflite") && it != other }.forEach { it.delete() }
        org.mobilesr.ModelStore(app, services.runtime).all()
        assertTrue("still there", other.exists())
        assertEquals(2, org.mobilesr.ModelStore(app, services.runtime).usable().size)
    }

    @Test
    fun `a result of another size and format, as it was wished`() {
        services.settings.accelerator = Accelerator.CPU
        services.settings.size = SizeChoice.DOUBLE
        services.settings.format = org.mobilesr.core.PictureFormat.JPEG
        openMain(services, share(app, "small")).get().click(R.id.primary)
        settle(services)
        val result = (state as ScreenState.Done).finished.single().result
        assertEquals("small_in_x4_detail.jpg", result.file.name)
        val read = ImageIO.read(result.file)
        assertEquals(listOf(140, 100), listOf(read.width, read.height))
        assertEquals("image/jpeg", app.contentResolver.getType(ResultProvider.uriOf(app, result.file)) ?: ResultProvider.mimeOf(result.file.name))
    }
}
