package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

/** Files compiled for one SoC: read from the list, taken on that phone alone, proven like a GPU. */
class NpuTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val compiled = CompiledModelFile(File("fake_SM8650.tflite"), "SM8650", "abcd")
    private val model = modelOf().copy(npu = compiled)
    private val input = SyntheticTile.make(model.shape, ValueRange.UNIT)
    private val right = NearestEngine(model.shape).run(input).copyOf()
    private val wrong = right.map { 1f - it }.toFloatArray()
    private val golden = GoldenTile(input, right)
    private val wish = EngineRequest(Accelerator.NPU)

    @Test
    fun `the list names a file for each SoC`() {
        val card = ModelCard.list(json(""""npu": [{"soc": "SM8650", "file": "m_SM8650.tflite", "sha256": "AB"}]""")).single()
        assertEquals(listOf(CompiledFor("SM8650", "m_SM8650.tflite", "ab")), card.npu)
        assertEquals(emptyList<CompiledFor>(), ModelCard.list(json(""""recipe": "int8"""")).single().npu)
        for (bad in listOf("""{"file": "m", "sha256": "ab"}""", """{"soc": "SM8650", "file": "../m", "sha256": "ab"}""", """{"soc": "SM8650", "file": "m"}""", "7")) {
            assertEquals(bad, Refusal.CARD, assertThrows(RefusedModelException::class.java) { ModelCard.list(json(""""npu": [$bad]""")) }.reason)
        }
    }

    @Test
    fun `a file is for its SoC and that one's variants, and for no other`() {
        val entry = CompiledFor("SM8650", "m", "ab")
        assertTrue(listOf("SM8650", "SM8650-AC").all { entry.runsOn(it) })
        assertFalse(listOf("SM86501", "SM8550", "sm8650", "unknown", "", null).any { entry.runsOn(it) })
    }

    @Test
    fun `an NPU that computes right is used, and nothing else is asked`() {
        val asked = ArrayList<Accelerator>()
        val selection = EngineSelector(Phone(asked, npu = right, gpu = right), model).select(wish, golden)
        assertEquals(Accelerator.NPU, selection.runs.accelerator)
        assertEquals(listOf(Accelerator.NPU), asked)
        assertFalse(selection.fellBack)
    }

    @Test
    fun `a wrong one is followed by the GPU, and that by the CPU, each with its reason`() {
        val onGpu = EngineSelector(Phone(npu = wrong, gpu = right), model).select(wish, golden)
        assertEquals(Accelerator.GPU, onGpu.runs.accelerator)
        assertEquals(listOf(Accelerator.NPU), onGpu.notRun.map { it.accelerator })
        assertNull("the GPU is all right", onGpu.gpuProblem)
        val onCpu = EngineSelector(Phone(npu = null, gpu = wrong), model).select(wish, golden)
        assertEquals(Accelerator.CPU, onCpu.runs.accelerator)
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU), onCpu.notRun.map { it.accelerator })
        assertEquals(CheckResult.Failed("refused"), onCpu.notRun.first().why)
        assertTrue(onCpu.gpuProblem is CheckResult.Different)
    }

    @Test
    fun `who wishes for the GPU never gets the NPU`() {
        val asked = ArrayList<Accelerator>()
        EngineSelector(Phone(asked, npu = right, gpu = wrong), model).select(GPU, golden)
        assertEquals(listOf(Accelerator.GPU, Accelerator.CPU), asked)
    }

    @Test
    fun `an NPU driver that ended the app stays untried, although the GPU answered since`() {
        val note = folder.newFile("trial")
        GpuTrial(note).begin(programKey(model, wish, "phone"))
        repeat(2) { start ->
            val asked = ArrayList<Accelerator>()
            val selection = EngineSelector(Phone(asked, npu = right, gpu = right), model, GpuTrial(note)).select(wish, golden)
            assertEquals("start $start", listOf(Accelerator.GPU), asked)
            assertEquals(listOf(NotRun(Accelerator.NPU, CheckResult.Distrusted(BadTrial.CRASHED))), selection.notRun)
        }
    }

    @Test
    fun `another compiled file, or another accelerator, is another program`() {
        val keys = listOf(programKey(model, wish, "a"), programKey(model, GPU, "a"), programKey(model.copy(npu = compiled.copy(sha256 = "ef")), wish, "a"))
        assertEquals(3, keys.distinct().size)
        assertNotEquals(keys.first(), programKey(model, wish, "b"))
    }

    private fun json(entry: String) = """{"schema": 1, "models": [{"name": "m", "file": "m.tflite", "halo": 4, $entry}]}"""

    /** A phone whose NPU and GPU answer so, or refuse (null); its CPU is right. */
    private inner class Phone(val asked: MutableList<Accelerator> = ArrayList(), val npu: FloatArray?, val gpu: FloatArray?) : EngineFactory {
        override val runtime = "phone"
        override val types = setOf(TensorType.FLOAT32)
        override val fingerprint = "phone"

        override fun create(model: LoadedModel, request: EngineRequest): TileEngine {
            asked += request.accelerator
            val answer = mapOf(Accelerator.NPU to npu, Accelerator.GPU to gpu, Accelerator.CPU to right)[request.accelerator] ?: throw EngineException("refused")
            return ScriptedEngine(request) { answer }
        }
    }
}
