package org.mobilesr.app

import android.app.Activity
import android.app.Application
import android.widget.Spinner
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.ModelStore
import org.mobilesr.core.Accelerator
import org.mobilesr.core.Refusal
import org.mobilesr.runtimeFactory
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode
import java.io.File

/** The test model `detail-x4` lists a file for the SoC SM8650: a copy with the plain one's tensors, since no Hexagon is here to run it. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class NpuFlowTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val services get() = app.services
    private val done get() = (services.upscaling.state.value as ScreenState.Done).finished.single().result

    @Before
    fun reset() = TestApp.reset()

    @Test
    fun `the NPU is offered where the model has a file for this phone, and its wish outlives a model that has none`() {
        TestApp.soc = "SM8650-AC"
        services.settings.accelerator = Accelerator.NPU
        val screen = openMain(services).get()
        assertEquals(listOf("NPU", "GPU", "CPU"), screen.offered(R.id.accelerator))
        val models = screen.findViewById<Spinner>(R.id.model)!!
        for ((model, offered) in listOf("detail-x4-int8" to listOf("GPU", "CPU"), "detail-x4" to listOf("NPU", "GPU", "CPU"))) {
            models.setSelection(screen.offered(R.id.model).indexOf(model))
            settle(services)
            assertEquals(model, offered, screen.offered(R.id.accelerator))
            assertEquals(model, offered.first(), screen.findViewById<Spinner>(R.id.accelerator)!!.selectedItem)
            assertEquals(model, Accelerator.NPU, services.settings.accelerator)
        }
    }

    @Test
    fun `on another phone there is none`() {
        TestApp.soc = "SM8550"
        assertEquals(listOf("GPU", "CPU"), openMain(services).get().offered(R.id.accelerator))
    }

    @Test
    fun `an NPU that passes the self-check runs and is named`() {
        TestApp.soc = "SM8650"
        TestApp.runtimes = { PretendGpu(runtimeFactory(it)) }
        services.settings.accelerator = Accelerator.NPU
        val screen = openMain(services, share(app, "small")).get().apply { click(R.id.primary) }
        settle(services)
        assertEquals(Accelerator.NPU, done.ran.accelerator)
        assertTrue(screen.text(R.id.detail), "NPU" in screen.text(R.id.detail))
        assertFalse(screen.isShown(R.id.warning))
    }

    @Test
    fun `without the vendor's libraries LiteRT's own answer leads on, and the screen says why, for each`() {
        TestApp.soc = "SM8650"
        services.settings.accelerator = Accelerator.NPU
        val screen = openMain(services, share(app, "small")).get().apply { click(R.id.primary) }
        settle(services)
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU), done.notRun.map { it.accelerator })
        assertEquals(Accelerator.CPU, done.ran.accelerator)
        val (npu, gpu) = screen.text(R.id.warning).lines()
        assertTrue(npu, npu.startsWith("Not on the NPU: ") && "LiteRT finds no libraries for the NPU" in npu)
        assertTrue(gpu, gpu.startsWith("Not on the GPU: "))
        val next = Services(app, services.runtime, services.models) // the next process remembers both reasons
        settle(next)
        assertEquals(done.notRun, (next.upscaling.state.value as ScreenState.Done).finished.single().result.notRun)
    }

    @Test
    fun `a compiled file that is not the listed one is refused, not run`() {
        val store = ModelStore(app, services.runtime, "models", "SM8650")
        assertTrue(store.usable().first().hasNpu)
        File(app.filesDir, "built-in").listFiles { file -> "_SM8650" in file.name }!!.single().appendText("x")
        val again = ModelStore(app, services.runtime, "models", "SM8650").all().first { it.card.name == "detail-x4" }
        assertEquals(Refusal.CHECKSUM, again.problem?.reason)
    }

    private fun Activity.offered(id: Int): List<String> = findViewById<Spinner>(id)!!.adapter.let { list -> List(list.count) { list.getItem(it) as String } }
}
