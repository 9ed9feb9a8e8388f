package org.mobilesr

import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector

/** On a phone or an emulator: every model that ships computes its golden tile. Never run yet, see ci/android.yml. */
class GoldenTileTest {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun everyShippedModelPassesOnTheCpu() {
        val runtime = runtimeFactory(context)
        val store = ModelStore(context, runtime)
        assertTrue("there are models", store.usable().isNotEmpty())
        for (usable in store.usable()) {
            for (model in usable.models) {
                val request = EngineRequest(Accelerator.CPU, threads = 2)
                EngineSelector(runtime, model).select(request, store.golden(usable.entryOf(model))).engine.close()
            }
        }
    }

    @Test
    fun theGpuPassesOrSaysWhyNot() {
        val runtime = runtimeFactory(context)
        val store = ModelStore(context, runtime)
        val usable = store.usable().first()
        val model = usable.models.first()
        val selection = EngineSelector(runtime, model).select(EngineRequest(Accelerator.GPU), store.golden(usable.entryOf(model)))
        selection.engine.close()
        println("${model.card.name} on ${selection.runs}: ${selection.check ?: selection.gpuProblem}")
        assertTrue(selection.check is CheckResult.Passed)
    }
}
