// A model file that passed every check, ready for an engine.
package org.mobilesr.core

import java.io.File
import java.security.MessageDigest

/** A file that only the NPU of one [soc] can run. */
public data class CompiledModelFile(val file: File, val soc: String, val sha256: String)

/**
 * A checked model: where it lies, what people know about it, what its tensors say.
 *
 * @property sha256 of the file, lower case hexadecimal
 * @property npu the same network compiled for this phone's NPU, null if there is no such file
 */
public data class LoadedModel(val file: File, val card: ModelCard, val shape: ModelShape, val sha256: String, val npu: CompiledModelFile? = null) {
    /** Low-resolution pixels around each kept part: what the network needs, as far as half of the tile stays core. */
    val halo: Int get() = card.haloIn(shape)

    public companion object {
        /** Checks [file] against [card]. @throws RefusedModelException with the first thing wrong */
        public fun open(file: File, card: ModelCard, types: Set<TensorType>): LoadedModel {
            val actual = sha256(file)
            if (card.sha256 != null && card.sha256 != actual) throw RefusedModelException(Refusal.CHECKSUM, actual.take(12))
            val shape = ModelShape.of(readTensors(file), types)
            card.requireFits(shape)
            return LoadedModel(file, card, shape, actual)
        }

        /**
         * Checks [file], which is [plain] compiled as [entry] says, and gives [plain] with it.
         *
         * @throws RefusedModelException if it is another file, or its tensors are not those of [plain]
         */
        public fun withCompiled(plain: LoadedModel, file: File, entry: CompiledFor): LoadedModel {
            val actual = sha256(file)
            if (entry.sha256 != actual) throw RefusedModelException(Refusal.CHECKSUM, actual.take(12))
            val shape = ModelShape.of(readTensors(file), setOf(plain.shape.input.type, plain.shape.output.type))
            val same = shape.input.sameFormAs(plain.shape.input) && shape.output.sameFormAs(plain.shape.output)
            if (!same) throw RefusedModelException(Refusal.CARD, "${entry.file}: other tensors than ${plain.card.file}")
            return plain.copy(npu = CompiledModelFile(file, entry.soc, actual))
        }

        private fun TensorSpec.sameFormAs(other: TensorSpec) = copy(name = "") == other.copy(name = "")

        /** Checks a file that the user added and makes its card. @throws RefusedModelException as above */
        public fun openUserFile(file: File, displayName: String, types: Set<TensorType>): LoadedModel {
            val tensors = readTensors(file)
            val shape = ModelShape.of(tensors, types)
            val card = ModelCard.ofUserFile(displayName, tensors, shape)
            card.requireFits(shape)
            return LoadedModel(file, card, shape, sha256(file))
        }

        /** SHA-256 of [file], lower case hexadecimal. */
        public fun sha256(file: File): String {
            val digest = MessageDigest.getInstance("SHA-256")
            file.inputStream().use { input ->
                val buffer = ByteArray(1 shl 16)
                while (true) {
                    val n = input.read(buffer)
                    if (n < 0) break
                    digest.update(buffer, 0, n)
                }
            }
            return digest.digest().joinToString("") { "%02x".format(it) }
        }

        private fun readTensors(file: File): TfliteFile = try {
            TfliteFile.read(file)
        } catch (e: DamagedFileException) {
            throw RefusedModelException(Refusal.DAMAGED, e.message.orEmpty(), e)
        }
    }
}
