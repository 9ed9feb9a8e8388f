package org.mobilesr.app

import android.content.Intent
import android.net.Uri
import android.app.Activity
import android.view.View
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.core.Accelerator
import org.mobilesr.core.BenchmarkPlan
import org.mobilesr.core.CpuThreads
import org.mobilesr.core.Json
import org.mobilesr.runtimeFactory
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowLog
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.concurrent.CountDownLatch

@RunWith(RobolectricTestRunner::class)
class BenchmarkActivityTest {
    private val app = RuntimeEnvironment.getApplication()
    private val results get() = app.services.benchmark.state.value.results

    @Before
    fun reset() = TestApp.reset()

    @Test
    fun `started by adb it measures, prints one line, and keeps the results`() {
        start(Intent().putExtra("auto", true).putExtra("model", "detail-x4-int8").putExtra("accelerator", "cpu").putExtra("threads", 2).putExtra("runs", 7))
        val result = results.single()
        assertEquals(7, result.tiles.count)
        assertEquals(2, result.ran.threads)
        val lines = ShadowLog.getLogsForTag("tflite").map { it.msg }
        assertEquals(1, lines.size)
        assertTrue(lines.single(), lines.single().matches(Regex("Inference timings in us: Init: \\d+, First inference: \\d+, Warmup \\(avg\\): \\S+, Inference \\(avg\\): \\S+")))
        val kept = Json.parse(File(app.getExternalFilesDir(null), "benchmark.json").readText()) as Map<*, *>
        assertEquals(1, (kept["results"] as List<*>).size)
    }

    @Test
    fun `the GPU that failed is named beside what ran`() {
        val screen = start(Intent().putExtra("auto", true).putExtra("runs", 1))
        assertEquals(Accelerator.CPU, results.single().ran.accelerator)
        assertEquals("detail-x4 on CPU (${threads(CpuThreads.choose())})", screen.findViewById<TextView>(R.id.heading)!!.text.toString())
        assertTrue(screen.findViewById<TextView>(R.id.fallback)!!.text.startsWith("Not on the GPU"))
    }

    @Test
    fun `an unknown model is an error in the log and on the screen`() {
        val screen = start(Intent().putExtra("auto", true).putExtra("model", "nonsense"))
        assertEquals("There is no model “nonsense”.", screen.findViewById<TextView>(R.id.warning)!!.text.toString())
        assertEquals(0, results.size)
    }

    @Test
    fun `without auto it waits for the button, then exports`() {
        val screen = start(Intent())
        assertEquals(0, results.size)
        screen.findViewById<View>(R.id.start)!!.performClick()
        settle(app.services)
        assertEquals(1, results.size)
        screen.findViewById<View>(R.id.export_csv)!!.performClick()
        val asked = shadowOf(screen).nextStartedActivityForResult
        val place = Uri.parse("content://documents.example/csv")
        val bytes = ByteArrayOutputStream()
        var writer: Thread? = null
        shadowOf(app.contentResolver).registerOutputStreamSupplier(place) { bytes.also { writer = Thread.currentThread() } }
        shadowOf(screen).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(place))
        settle(app.services)
        assertEquals(2, bytes.toString().trim().lines().size)
        assertNotSame("a provider may be a network away", android.os.Looper.getMainLooper().thread, writer)
    }

    @Test
    fun `only the shell can start it, and nobody can ask for more than it can do`() {
        val info = app.packageManager.getActivityInfo(android.content.ComponentName(app, BenchmarkActivity::class.java), 0)
        assertTrue("adb needs it exported", info.exported)
        assertEquals("held by the shell, never by another app", android.Manifest.permission.DUMP, info.permission)
        val gate = CountDownLatch(1)
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) { answer -> answer.also { gate.await() } } }
        val screen = Robolectric.buildActivity(BenchmarkActivity::class.java, Intent().putExtra("auto", true).putExtra("runs", Int.MAX_VALUE).putExtra("warmup", Int.MAX_VALUE)).setup().get()
        app.services.fileThread.submit { }.get()
        shadowOf(android.os.Looper.getMainLooper()).idle()
        val bar = screen.findViewById<android.widget.ProgressBar>(R.id.progress)!!
        assertEquals("the total is what will be done", 2 * BenchmarkPlan.MOST, bar.max)
        app.services.benchmark.cancel()
        gate.countDown()
        settle(app.services)
        assertEquals(null, app.services.benchmark.state.value.running)
    }

    @Test
    fun `opened again from Recents it measures nothing`() {
        start(Intent().putExtra("auto", true).addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY))
        assertEquals(0, results.size)
    }

    @Test
    fun `an error of the runtime ends the measurement with a sentence`() {
        TestApp.runtimes = { ThrowingFactory(runtimeFactory(it)) { UnsatisfiedLinkError("no jni") } }
        val screen = start(Intent().putExtra("auto", true).putExtra("runs", 1))
        assertEquals(null, app.services.benchmark.state.value.running)
        assertTrue("no jni" in screen.findViewById<TextView>(R.id.warning)!!.text)
    }

    @Test
    fun `an export after the process was ended says that there is nothing, instead of writing an empty table`() {
        val screen = start(Intent())
        val place = Uri.parse("content://documents.example/empty")
        val bytes = ByteArrayOutputStream()
        shadowOf(app.contentResolver).registerOutputStream(place, bytes)
        var told: Failure? = null
        app.services.benchmark.export(place, { "header only" }) { told = it }
        settle(app.services)
        assertTrue("$told", told is Failure.Storage)
        assertEquals(0, bytes.size())
        assertEquals(View.GONE, screen.findViewById<View>(R.id.exports)!!.visibility)
    }

    private fun threads(count: Int) = app.resources.getQuantityString(R.plurals.ran_cpu_threads, count, count).substringAfter('(').removeSuffix(")")

    private fun start(intent: Intent): BenchmarkActivity {
        val screen = Robolectric.buildActivity(BenchmarkActivity::class.java, intent).setup().get()
        settle(app.services)
        return screen
    }
}
