// One entry of models.json, or of a file's own metadata: what people should know about a model.
package org.mobilesr.core

/** File names of the golden tile, beside the model: an input tile and the expected output, both PNG. */
public data class GoldenFiles(val input: String, val output: String)

/**
 * One file of a model that was compiled for the NPU of one SoC (`mobile-sr compile --android`).
 *
 * @property soc as `Build.SOC_MODEL` begins on such a phone: SM8650
 * @property file beside the plain file
 * @property sha256 of it, lower case hexadecimal
 */
public data class CompiledFor(val soc: String, val file: String, val sha256: String) {
    /** True on a phone whose `Build.SOC_MODEL` is [model]: variants of one SoC carry endings, SM8650-AC. */
    public fun runsOn(model: String?): Boolean = model != null && (model == soc || model.startsWith("$soc-"))
}

/**
 * What the exporter wrote about a model. Everything that the tensors already say is checked against them.
 *
 * @property file name of the .tflite beside the card
 * @property sha256 of the file, lower case hexadecimal; null for a file that the user added
 * @property tileHeight low-resolution pixels, null if the card does not say
 * @property halo low-resolution pixels that the network needs around a kept part, whatever the tile
 * @property npu the same network compiled for NPUs, one file a SoC; none for a file that the user added
 */
public data class ModelCard(
    val name: String,
    val file: String,
    val sha256: String?,
    val family: String?,
    val scale: Int?,
    val tileWidth: Int?,
    val tileHeight: Int?,
    val halo: Int,
    val range: ValueRange,
    val recipe: String?,
    val licence: String?,
    val credit: String?,
    val golden: GoldenFiles?,
    val npu: List<CompiledFor> = emptyList(),
) {
    /** Throws [RefusedModelException] if card and tensors contradict each other. */
    public fun requireFits(shape: ModelShape) {
        val said = listOf(scale ?: shape.scale, tileWidth ?: shape.tileWidth, tileHeight ?: shape.tileHeight)
        if (said != listOf(shape.scale, shape.tileWidth, shape.tileHeight)) {
            throw RefusedModelException(Refusal.CARD, "$said / ${listOf(shape.scale, shape.tileWidth, shape.tileHeight)}")
        }
        if (2 * haloIn(shape) < halo) throw RefusedModelException(Refusal.HALO, "$halo / ${shape.tileWidth}x${shape.tileHeight}")
    }

    /**
     * The halo that a tile of [shape] is given, low-resolution pixels.
     *
     * At least half of each side stays core, or most of the work would be thrown away; a network that needs more is better
     * exported with a larger tile. [requireFits] refuses a tile that can give less than half of the need: seams would show.
     */
    public fun haloIn(shape: ModelShape): Int = minOf(halo, minOf(shape.tileWidth, shape.tileHeight) / 4)

    public companion object {
        private const val SCHEMA = 1

        /** The entries of a models.json. @throws RefusedModelException if it is not ours */
        public fun list(json: String): List<ModelCard> {
            val root = read(json)
            if ((root["schema"] as? Double)?.toInt() != SCHEMA) {
                throw RefusedModelException(Refusal.CARD, "schema ${root["schema"]}")
            }
            return (root["models"] as? List<*>).orEmpty().map { of(it.asObject()) }
        }

        /**
         * The card of a file that the user added, from the file's own metadata as far as it has any.
         *
         * A halo is not told by tensors: without metadata it is a quarter of the tile, at most 16 pixels.
         */
        public fun ofUserFile(fileName: String, file: TfliteFile, shape: ModelShape): ModelCard {
            val name = fileName.removeSuffix(".tflite")
            val own = file.metadata?.let { read(it) }.orEmpty()
            val halo = own["halo"] ?: minOf(MAX_GUESSED_HALO, minOf(shape.tileWidth, shape.tileHeight) / 4).toDouble()
            return of(mapOf("name" to name) + own + mapOf("file" to fileName, "halo" to halo, "sha256" to null, "golden" to null, "npu" to null))
        }

        /** The card of a file that could not be read: its name and nothing else. */
        public fun unread(fileName: String): ModelCard = of(mapOf("name" to fileName.removeSuffix(".tflite"), "file" to fileName, "halo" to 0.0))

        private const val MAX_GUESSED_HALO = 16

        private fun of(o: Map<String, Any?>): ModelCard {
            val tile = o["tile"]?.let { numbers(it, "tile") }
            val range = o["range"]?.let { numbers(it, "range") }
            val golden = o["golden"]?.asObject()
            return ModelCard(
                name = o.text("name") ?: missing("name"),
                file = o.text("file")?.also { requirePlainName(it) } ?: missing("file"),
                sha256 = o.text("sha256")?.lowercase(),
                family = o.text("family"),
                scale = (o["scale"] as? Double)?.toInt(),
                tileHeight = tile?.get(0)?.toInt(),
                tileWidth = tile?.get(1)?.toInt(),
                halo = (o["halo"] as? Double)?.toInt()?.takeIf { it >= 0 } ?: missing("halo"),
                range = range?.let { (low, high) -> rangeOf(low.toFloat(), high.toFloat()) } ?: ValueRange.UNIT,
                recipe = o.text("recipe"),
                licence = o.text("licence"),
                credit = o.text("credit"),
                golden = golden?.let {
                    GoldenFiles(it.text("input") ?: missing("golden.input"), it.text("output") ?: missing("golden.output"))
                }?.also { requirePlainName(it.input); requirePlainName(it.output) },
                npu = (o["npu"] as? List<*>).orEmpty().map { compiled(it.asObject()) },
            )
        }

        private fun compiled(o: Map<String, Any?>) = CompiledFor(
            soc = o.text("soc") ?: missing("npu.soc"),
            file = o.text("file")?.also { requirePlainName(it) } ?: missing("npu.file"),
            sha256 = o.text("sha256")?.lowercase() ?: missing("npu.sha256"),
        )

        private fun read(json: String): Map<String, Any?> = try {
            Json.parse(json).asObject()
        } catch (e: JsonException) {
            throw RefusedModelException(Refusal.CARD, e.message.orEmpty(), e)
        }

        private fun Any?.asObject(): Map<String, Any?> {
            val map = this as? Map<*, *> ?: throw RefusedModelException(Refusal.CARD, "no object")
            return map.entries.associate { (k, v) -> k.toString() to v }
        }

        private fun Map<String, Any?>.text(key: String): String? = this[key] as? String

        private fun numbers(value: Any, key: String): List<Double> =
            (value as? List<*>)?.filterIsInstance<Double>()?.takeIf { it.size == 2 } ?: missing(key)

        private fun rangeOf(low: Float, high: Float): ValueRange =
            if (high > low) ValueRange(low, high) else throw RefusedModelException(Refusal.CARD, "range $low..$high")

        /** A card names files beside itself and nothing else. */
        private fun requirePlainName(file: String) {
            if ('/' in file || '\\' in file || file.startsWith(".")) throw RefusedModelException(Refusal.CARD, "file $file")
        }

        private fun missing(key: String): Nothing = throw RefusedModelException(Refusal.CARD, "no valid \"$key\"")
    }
}
