// Will the work fit into memory: judged before it starts, not by a crash in the middle.
package org.mobilesr.core

/** How a picture is opened. */
public enum class Reading { WHOLE, REGIONS }

/** Not enough memory; bytes. */
public class NotEnoughMemoryException(public val needed: Long, public val available: Long) : Exception("$needed of $available bytes")

/**
 * Bytes that are free.
 *
 * @property heap that the Java heap can still grow by
 * @property device that the device can give without killing anybody
 */
public data class FreeMemory(val heap: Long, val device: Long)

/**
 * Decides how a picture of any size is read.
 *
 * @property decoded bytes that the whole decoded picture would take (native memory on Android 8+)
 * @property working bytes that tiling takes on the heap, whichever way the picture is read
 * @property bands of the result in memory: with two, one is written while the next is computed
 */
public data class MemoryPlan(val reading: Reading, val decoded: Long, val working: Long, val bands: Int) {
    public companion object {
        private const val BYTES_PER_PIXEL = 4L
        private const val SPARE = 16L shl 20

        /**
         * Plans for a picture of [width] x [height].
         *
         * @param regionsPossible the file format can be decoded by rectangles
         * @throws NotEnoughMemoryException if neither way fits
         */
        public fun choose(width: Int, height: Int, model: LoadedModel, free: FreeMemory, regionsPossible: Boolean): MemoryPlan {
            val decoded = width.toLong() * height * BYTES_PER_PIXEL
            val bands = if (working(width, height, model, 2) <= minOf(free.heap, free.device)) 2 else 1
            val working = working(width, height, model, bands)
            if (working > free.heap) throw NotEnoughMemoryException(working, free.heap)
            return when {
                decoded + working <= free.device / 2 -> MemoryPlan(Reading.WHOLE, decoded, working, bands)
                regionsPossible && working <= free.device -> MemoryPlan(Reading.REGIONS, decoded, working, bands)
                regionsPossible -> throw NotEnoughMemoryException(working, free.device)
                else -> throw NotEnoughMemoryException(2 * (decoded + working), free.device)
            }
        }

        /**
         * Of the same network exported with several tiles, the one that is fastest for this picture and fits.
         *
         * A larger tile computes less of its halo twice. Preferred are tiles whose halo is not cut; what does not fit into
         * memory is left out, unless nothing fits: then the smallest is returned, and [choose] says what is missing.
         */
        public fun fastest(variants: List<LoadedModel>, width: Int, height: Int, free: FreeMemory): LoadedModel {
            require(variants.isNotEmpty()) { "no model" }
            val limit = minOf(free.heap, free.device)
            val fitting = variants.filter { working(width, height, it, 1) <= limit }
            return fitting.minWithOrNull(compareBy<LoadedModel> { it.halo < it.card.halo }.thenBy { computed(width, height, it) })
                ?: variants.minBy { working(width, height, it, 1) }
        }

        /** Low-resolution pixels that go through the network for a picture. */
        private fun computed(width: Int, height: Int, model: LoadedModel): Long {
            val shape = model.shape
            val plan = TilePlan(width, height, shape.tileWidth, shape.tileHeight, model.halo, shape.scale)
            return plan.count.toLong() * shape.tileWidth * shape.tileHeight
        }

        /** The bands of output, two tiles ahead and one behind, the file's rows, one strip of the decoder. */
        private fun working(width: Int, height: Int, model: LoadedModel, bands: Int): Long {
            val shape = model.shape
            val plan = TilePlan(width, height, shape.tileWidth, shape.tileHeight, model.halo, shape.scale)
            val outputWidth = width.toLong() * shape.scale
            val result = outputWidth * plan.bandHeight * shape.scale * BYTES_PER_PIXEL * bands
            val tile = shape.tileWidth.toLong() * shape.tileHeight
            val inputs = tile * (BYTES_PER_PIXEL + 3 * BYTES_PER_PIXEL) * 2
            val answers = tile * shape.scale * shape.scale * 3 * BYTES_PER_PIXEL * 2 // the engine's array, and its last one not yet collected
            val strip = width.toLong() * shape.tileHeight * BYTES_PER_PIXEL
            return result + inputs + answers + strip + outputWidth * BYTES_PER_PIXEL * 8 + SPARE
        }
    }
}
