// The second runtime's Kotlin with the bytes that are in the APK, on a desktop JVM: see tools/native.
package org.mobilesr

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector
import org.tensorflow.lite.TensorFlowLite
import java.io.File

class GoldenTileTest {
    private val factory = ClassicFactory(File.createTempFile("gpu", ""))

    @Test
    fun `every model that ships computes its golden tile within one step, on one thread and on two`() {
        assertEquals("2.16.1", TensorFlowLite.runtimeVersion())
        for (model in ShippedModels.all(factory.types)) {
            for (threads in 1..2) {
                val selection = EngineSelector(factory, model).select(EngineRequest(Accelerator.CPU, threads = threads), ShippedModels.golden(model.card))
                selection.engine.close()
                val check = selection.check as CheckResult.Passed
                println("%s, %d threads: largest difference %.2f, mean %.2f of 255".format(model.card.file, threads, check.largest, check.mean))
                assertTrue("${model.card.file}: $check", check.largest <= 1.0)
            }
        }
    }
}
