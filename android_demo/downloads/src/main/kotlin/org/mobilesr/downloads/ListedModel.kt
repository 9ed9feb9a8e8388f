// A list of networks that can be fetched: where each lies, and which bytes it must be.
package org.mobilesr.downloads

import org.mobilesr.core.Json
import org.mobilesr.core.JsonException

/** The list, or an entry of it, is not what it should be. */
public class BadListException(message: String) : Exception(message)

/**
 * One file of the list.
 *
 * @property name what people choose
 * @property url https
 * @property sha256 lower case hexadecimal
 * @property bytes its exact size
 * @property licence as its author gave it
 */
public data class ListedModel(val name: String, val url: String, val sha256: String, val bytes: Long, val licence: String) {
    /** Its name on the disk changes with its content. */
    val fileName: String get() = "$sha256.tflite"

    public companion object {
        private const val SCHEMA = 1.0
        private val SHA256 = Regex("[0-9a-f]{64}")

        /** No network of this project is a tenth of it. */
        private const val MOST_BYTES = 256L shl 20

        /** Reads `{"schema": 1, "models": [{"name", "url", "sha256", "bytes", "licence"}]}`. @throws BadListException if it is another text */
        public fun list(json: String): List<ListedModel> {
            val root = try {
                Json.parse(json) as? Map<*, *>
            } catch (e: JsonException) {
                throw BadListException(e.message.orEmpty())
            }
            if (root?.get("schema") != SCHEMA) throw BadListException("no list of schema 1")
            return (root["models"] as? List<*> ?: throw BadListException("no \"models\"")).map { of(it as? Map<*, *> ?: throw BadListException("a model is no object")) }
        }

        private fun of(entry: Map<*, *>): ListedModel {
            fun text(key: String) = entry[key] as? String ?: throw BadListException("no \"$key\"")
            val model = ListedModel(text("name"), text("url"), text("sha256").lowercase(), (entry["bytes"] as? Double)?.toLong() ?: 0, text("licence"))
            if (!model.url.startsWith("https://")) throw BadListException("${model.name}: not https")
            if (!SHA256.matches(model.sha256)) throw BadListException("${model.name}: no sha256")
            if (model.bytes !in 1..MOST_BYTES) throw BadListException("${model.name}: ${model.bytes} bytes")
            return model
        }
    }
}
