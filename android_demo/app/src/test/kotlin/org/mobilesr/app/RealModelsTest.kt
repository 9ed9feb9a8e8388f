package org.mobilesr.app

import org.mobilesr.LiteRtFactory
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import com.google.ai.edge.litert.StandIn
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.mobilesr.core.Accelerator
import org.mobilesr.core.ArrayImage
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineException
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector
import org.mobilesr.core.GoldenTile
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelCard
import org.mobilesr.core.PixelCodec
import org.mobilesr.core.Refusal
import org.mobilesr.core.RefusedModelException
import org.mobilesr.core.SyntheticTile
import org.mobilesr.core.TensorType
import org.mobilesr.core.TfliteFile
import org.mobilesr.core.UnusableModelException
import org.mobilesr.core.UpscaleTask
import org.robolectric.RobolectricTestRunner
import java.io.File

/** The engine of the default flavor, its code unchanged, on LiteRT's own native library. */
@RunWith(RobolectricTestRunner::class)
class RealModelsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val factory by lazy { LiteRtFactory(folder.newFolder("gpu")) }
    private val cpu = EngineRequest(Accelerator.CPU)
    private val cards = ModelCard.list(File(Made.assets, "models.json").readText())

    @Test
    fun `every photo equals Python's result within one step`() {
        val model = assetModel("detail-x4")
        assertTrue("photos to compare", Made.photosOf("detail-x4").size >= 4)
        compare(model)
    }

    @Test
    fun `golden tiles of the test models pass, int8 too`() {
        for (card in cards) {
            val selection = EngineSelector(factory, assetModel(card.name)).select(cpu, golden(card, Made.assets))
            assertTrue("${card.name}: ${selection.check}", selection.check is CheckResult.Passed)
            selection.engine.close()
        }
    }

    @Test
    fun `the models that ship are whole, pass their golden tiles and equal Python's results`() {
        for (card in ModelCard.list(File(Made.shipped, "models.json").readText())) {
            val model = LoadedModel.open(File(Made.shipped, card.file), card, factory.types)
            val selection = EngineSelector(factory, model).select(cpu, golden(card, Made.shipped))
            assertTrue("${card.name}: ${selection.check}", selection.check is CheckResult.Passed)
            selection.engine.close()
            compare(model)
        }
    }

    @Test
    fun `no GPU here - the runtime's refusal leads to the CPU, with its words`() {
        val model = assetModel("detail-x4")
        val gpu = EngineRequest(Accelerator.GPU)
        assertThrows(EngineException::class.java) { factory.create(model, gpu) }
        val selection = EngineSelector(factory, model).select(gpu, golden(cards.first(), Made.assets))
        selection.engine.use {
            assertEquals(Accelerator.CPU, selection.runs.accelerator)
            assertTrue("${selection.gpuProblem}", (selection.gpuProblem as CheckResult.Failed).message.contains("504"))
        }
    }

    @Test
    fun `buffers that cannot be had leave nothing behind in the GPU's memory`() {
        val model = assetModel("detail-x4")
        factory.create(model, cpu).close() // the environment of this thread stays
        val before = StandIn.alive.get()
        StandIn.outputsFail = true
        try {
            assertThrows(EngineException::class.java) { factory.create(model, cpu) }
        } finally {
            StandIn.outputsFail = false
        }
        assertEquals(before, StandIn.alive.get())
        factory.create(model, cpu).use { assertTrue("an engine is something", StandIn.alive.get() > before) }
    }

    @Test
    fun `a thread count is accepted and the result stays the same`() {
        val model = assetModel("detail-x4")
        val photo = read(Made.photo("small"))
        assertEquals(0, largestDifference(upscale(model, photo).pixels, upscale(model, photo, cpu.copy(threads = 2)).pixels))
    }

    @Test
    fun `a model of NaN is not used`() {
        val model = openModel(Made.other("nan-x2"))
        val good = openModel(Made.other("nearest-x2"))
        val input = SyntheticTile.make(good.shape, good.card.range)
        val golden = factory.create(good, cpu).use { GoldenTile(input, it.run(input).copyOf()) }
        val nan = assertThrows(UnusableModelException::class.java) { EngineSelector(factory, model).select(cpu, golden) }
        assertEquals(CheckResult.NotFinite, nan.check)
        val black = assertThrows(UnusableModelException::class.java) { EngineSelector(factory, openModel(Made.other("black-x2"))).select(cpu, golden) }
        assertEquals(CheckResult.Blank, black.check)
    }

    @Test
    fun `files that are no super-resolution are refused with their reason`() {
        assertEquals(Refusal.DAMAGED, refusal("cut-in-half"))
        assertEquals(Refusal.NOT_RGB, refusal("grey"))
        assertEquals(Refusal.DYNAMIC_SHAPE, refusal("dynamic"))
        assertEquals(Refusal.NOT_RGB, refusal("classifier"))
    }

    @Test
    fun `a real file cut anywhere is refused, never read past its end`() {
        val whole = Made.asset("detail-x4").readBytes()
        val cut = folder.newFile("cut.tflite")
        for (part in 1..19) {
            cut.writeBytes(whole.copyOf(whole.size * part / 20))
            assertThrows("$part/20", RefusedModelException::class.java) { openModel(cut) }
        }
    }

    @Test
    fun `a changed file does not pass its checksum`() {
        val card = cards.first()
        val changed = folder.newFile("changed.tflite")
        changed.writeBytes(Made.asset(card.name).readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() })
        val error = assertThrows(RefusedModelException::class.java) { LoadedModel.open(changed, card, factory.types) }
        assertEquals(Refusal.CHECKSUM, error.reason)
    }

    @Test
    fun `quantization is read off the file`() {
        val file = TfliteFile.read(Made.asset("detail-x4-int8"))
        assertEquals(TensorType.INT8, file.inputs.single().type)
        assertEquals(1 / 255f, file.inputs.single().quantization!!.scale, 1e-4f)
        assertEquals(-128, file.inputs.single().quantization!!.zeroPoint)
    }

    /** The JVM's tiles against `mobile-sr upscale`. */
    private fun compare(model: LoadedModel) {
        for (name in Made.photosOf(model.file.nameWithoutExtension)) {
            val difference = largestDifference(read(Made.expected(name, model.file.nameWithoutExtension)).pixels, upscale(model, read(Made.photo(name))).pixels)
            assertTrue("$name by ${model.card.name}: $difference/255", difference <= 1)
        }
    }

    private fun refusal(name: String) = assertThrows(name, RefusedModelException::class.java) { openModel(Made.other(name)) }.reason

    private fun assetModel(name: String): LoadedModel {
        val card = cards.single { it.name == name }
        return LoadedModel.open(Made.asset(name), card, factory.types)
    }

    private fun golden(card: ModelCard, assets: File): GoldenTile? = card.golden?.let { files ->
        val codec = PixelCodec(card.range)
        val (input, output) = listOf(files.input, files.output).map { name ->
            val image = read(File(assets, name))
            FloatArray(image.pixels.size * 3).also { codec.encode(image.pixels, image.pixels.size, it) }
        }
        GoldenTile(input, output)
    }

    private fun upscale(model: LoadedModel, photo: ArrayImage, request: EngineRequest = cpu): ArrayImage {
        val selection = EngineSelector(factory, model).select(request, null)
        return selection.engine.use { read(UpscaleTask(model, selection).run(photo, File(folder.root, "out.png")).file) }
    }
}
