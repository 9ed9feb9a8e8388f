// The second runtime's Kotlin with the bytes that are in the APK, on a desktop JVM: see tools/native.
package org.mobilesr

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.EngineSelector
import org.mobilesr.core.GoldenTile
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelCard
import org.mobilesr.core.PixelCodec
import org.tensorflow.lite.TensorFlowLite
import java.io.File
import javax.imageio.ImageIO

class GoldenTileTest {
    private val assets = File(System.getProperty("models"))
    private val factory = ClassicFactory(File.createTempFile("gpu", ""))

    @Test
    fun `every model that ships computes its golden tile within one step, on one thread and on two`() {
        assertEquals("2.16.1", TensorFlowLite.runtimeVersion())
        for (card in ModelCard.list(File(assets, "models.json").readText())) {
            val model = LoadedModel.open(File(assets, card.file), card, factory.types)
            for (threads in 1..2) {
                val selection = EngineSelector(factory, model).select(EngineRequest(Accelerator.CPU, threads = threads), golden(card))
                selection.engine.close()
                val check = selection.check as CheckResult.Passed
                println("%s, %d threads: largest difference %.2f, mean %.2f of 255".format(card.file, threads, check.largest, check.mean))
                assertTrue("${card.file}: $check", check.largest <= 1.0)
            }
        }
    }

    private fun golden(card: ModelCard): GoldenTile {
        val (input, output) = listOf(card.golden!!.input, card.golden!!.output).map { name ->
            val image = ImageIO.read(File(assets, name))
            val pixels = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
            FloatArray(pixels.size * 3).also { PixelCodec(card.range).encode(pixels, pixels.size, it) }
        }
        return GoldenTile(input, output)
    }
}
