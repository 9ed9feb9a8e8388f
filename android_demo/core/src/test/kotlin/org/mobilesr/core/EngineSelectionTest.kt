package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

class EngineSelectionTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val model = modelOf()
    private val input = SyntheticTile.make(model.shape, ValueRange.UNIT)
    private val right = NearestEngine(model.shape).run(input).copyOf()
    private val golden = GoldenTile(input, right)

    @Test
    fun `a GPU that computes right is used`() {
        val factory = FakeFactory { right }
        val selection = EngineSelector(factory, model).select(GPU, golden)
        assertEquals(Accelerator.GPU, selection.runs.accelerator)
        assertFalse(selection.fellBack)
        assertEquals(listOf(Accelerator.GPU), factory.created.map { it.request.accelerator })
    }

    @Test
    fun `small differences of 16-bit arithmetic pass`() {
        val selection = EngineSelector(FakeFactory { right.map { it + 0.004f }.toFloatArray() }, model).select(GPU, golden)
        assertFalse(selection.fellBack)
    }

    @Test
    fun `wrong, NaN, black and failing GPUs fall back with their reason`() {
        val cases = mapOf<String, Pair<() -> FloatArray, (CheckResult?) -> Boolean>>(
            "wrong" to ({ right.map { 1f - it }.toFloatArray() } to { it is CheckResult.Different }),
            "NaN" to ({ right.copyOf().also { it[5] = Float.NaN } } to { it == CheckResult.NotFinite }),
            "black" to ({ FloatArray(right.size) } to { it == CheckResult.Blank }),
            "dies while running" to ({ throw EngineException("lost device") } to { it == CheckResult.Failed("lost device") }),
            "short" to ({ FloatArray(3) } to { it is CheckResult.Failed }),
        )
        for ((name, case) in cases) {
            val factory = FakeFactory { case.first() }
            val selection = EngineSelector(factory, model).select(GPU, golden)
            assertEquals(name, Accelerator.CPU, selection.runs.accelerator)
            assertEquals(name, Accelerator.GPU, selection.wanted.accelerator)
            assertTrue("$name: ${selection.gpuProblem}", case.second(selection.gpuProblem))
            assertTrue("$name: the GPU engine is closed", factory.created.first().closed)
            assertFalse("$name: the CPU engine is open", factory.created.last().closed)
        }
    }

    @Test
    fun `a GPU that cannot load the model falls back with the runtime's words`() {
        val factory = FakeFactory(gpuLoads = false) { right }
        val selection = EngineSelector(factory, model).select(GPU, golden)
        assertEquals(CheckResult.Failed("504"), selection.gpuProblem)
        assertTrue(selection.check is CheckResult.Passed)
    }

    @Test
    fun `without a golden tile the CPU is the judge`() {
        assertFalse(EngineSelector(FakeFactory { right }, model).select(GPU, null).fellBack)
        assertTrue(EngineSelector(FakeFactory { FloatArray(right.size) }, model).select(GPU, null).fellBack)
    }

    @Test
    fun `CPU asked for is CPU, unchecked without a golden tile`() {
        val selection = EngineSelector(FakeFactory { right }, model).select(CPU, null)
        assertFalse(selection.fellBack)
        assertNull(selection.check)
    }

    @Test
    fun `a model that is wrong on the CPU too is not used`() {
        val factory = FakeFactory { FloatArray(right.size) }
        val wrong = GoldenTile(input, right.map { 1f - it }.toFloatArray())
        assertThrows(UnusableModelException::class.java) { EngineSelector(factory, model).select(CPU, wrong) }
        assertTrue(factory.created.single().closed)
    }

    @Test
    fun `a library that cannot be loaded is the runtime's refusal, on either accelerator`() {
        val factory = object : EngineFactory by FakeFactory(gpuAnswer = { right }) {
            override fun create(model: LoadedModel, request: EngineRequest): TileEngine = throw UnsatisfiedLinkError("no jni")
        }
        val error = assertThrows(EngineException::class.java) { EngineSelector(factory, model).select(GPU, golden) }
        assertTrue("${error.message}", "no jni" in error.message.orEmpty())
    }

    @Test
    fun `a GPU whose trial crashed the app is not asked again, until it is given another chance`() {
        val note = folder.newFile("trial").apply { delete() }
        // the process dies between begin and close: only the note is left
        GpuTrial(note).begin(programKey(model, GPU, "fake"))
        val factory = FakeFactory { right }
        val next = EngineSelector(factory, model, GpuTrial(note)).select(GPU, golden)
        assertEquals(CheckResult.Distrusted(BadTrial.CRASHED), next.gpuProblem)
        assertEquals(listOf(Accelerator.CPU), factory.created.map { it.request.accelerator })
        GpuTrial(note).forget()
        assertFalse(EngineSelector(FakeFactory { right }, model, GpuTrial(note)).select(GPU, golden).fellBack)
        assertFalse("an answer, good or bad, ends the trial", note.exists())
    }

    @Test
    fun `a compiled program is of one model, precision and runtime`() {
        val other = model.copy(sha256 = "5678")
        val keys = listOf(
            programKey(model, GPU, "a"), programKey(other, GPU, "a"), programKey(model, GPU.copy(precision = Precision.FP32), "a"), programKey(model, GPU, "b"),
        )
        assertEquals(4, keys.distinct().size)
        assertEquals(keys.first(), programKey(model, GPU, "a"))
    }

    @Test
    fun `a crash with one model says nothing about another`() {
        val note = folder.newFile("trial")
        GpuTrial(note).begin(programKey(model, GPU, "older system"))
        assertFalse(EngineSelector(FakeFactory { right }, model, GpuTrial(note)).select(GPU, golden).fellBack)
    }

    @Test
    fun `a GPU that never answers is told, and distrusted from then on`() {
        val note = folder.newFile("trial")
        val told = CountDownLatch(1)
        val release = CountDownLatch(1)
        val trial = GpuTrial(note, limitMs = 20) { told.countDown() }
        val hanging = Thread { trial.begin("key").use { release.await() } }.apply { start() }
        assertTrue(told.await(30, TimeUnit.SECONDS))
        assertEquals(BadTrial.HUNG, trial.badTrial("key"))
        release.countDown()
        hanging.join()
        assertEquals("its late answer changes nothing", BadTrial.HUNG, trial.badTrial("key"))
    }

    /** CPU engines are right, GPU engines answer with [gpuAnswer]. */
    private inner class FakeFactory(val gpuLoads: Boolean = true, val gpuAnswer: () -> FloatArray) : EngineFactory {
        val created = ArrayList<ScriptedEngine>()
        override val runtime = "fake"
        override val types = setOf(TensorType.FLOAT32)

        override val fingerprint = "fake"

        override fun create(model: LoadedModel, request: EngineRequest): TileEngine {
            val gpu = request.accelerator == Accelerator.GPU
            if (gpu && !gpuLoads) throw EngineException("504")
            return ScriptedEngine(request) { if (gpu) gpuAnswer() else right }.also { created += it }
        }
    }
}
