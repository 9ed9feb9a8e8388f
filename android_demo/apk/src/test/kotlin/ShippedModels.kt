// The models that ship, with their golden tiles, read without Android.
package org.mobilesr

import org.mobilesr.core.GoldenTile
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.ModelCard
import org.mobilesr.core.PixelCodec
import org.mobilesr.core.TensorType
import java.io.File
import javax.imageio.ImageIO

/** Those in the folder of the system property `models`. */
object ShippedModels {
    private val assets = File(System.getProperty("models"))

    fun all(types: Set<TensorType>): List<LoadedModel> =
        ModelCard.list(File(assets, "models.json").readText()).map { LoadedModel.open(File(assets, it.file), it, types) }

    fun golden(card: ModelCard): GoldenTile {
        val (input, output) = listOf(card.golden!!.input, card.golden!!.output).map { name ->
            val image = ImageIO.read(File(assets, name))
            val pixels = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
            FloatArray(pixels.size * 3).also { PixelCodec(card.range).encode(pixels, pixels.size, it) }
        }
        return GoldenTile(input, output)
    }
}
