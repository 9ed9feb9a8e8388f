// Will the work fit into memory: judged before it starts, not by a crash in the middle.
package org.mobilesr.core

/** How a picture is opened. */
enum class Reading { WHOLE, REGIONS }

/** Not enough memory; bytes. */
class NotEnoughMemoryException(val needed: Long, val available: Long) : Exception("$needed of $available bytes")

/**
 * Decides how a picture of any size is read.
 *
 * @property decoded bytes that the whole decoded picture would take (native memory on Android 8+)
 * @property working bytes that tiling takes on the heap, whichever way the picture is read
 */
data class MemoryPlan(val reading: Reading, val decoded: Long, val working: Long) {
    companion object {
        private const val BYTES_PER_PIXEL = 4L
        private const val FLOATS_AND_PIXELS = 3L * 4 + 4
        private const val SPARE = 16L shl 20

        /**
         * Plans for a picture of [width] x [height].
         *
         * @param freeHeap bytes that the Java heap can still grow by
         * @param freeDevice bytes that the device can give without killing anybody
         * @param regionsPossible the file format can be decoded by rectangles
         * @throws NotEnoughMemoryException if neither way fits
         */
        fun choose(
            width: Int,
            height: Int,
            shape: ModelShape,
            freeHeap: Long,
            freeDevice: Long,
            regionsPossible: Boolean,
        ): MemoryPlan {
            val decoded = width.toLong() * height * BYTES_PER_PIXEL
            val working = working(width, shape)
            if (working > freeHeap) throw NotEnoughMemoryException(working, freeHeap)
            return when {
                decoded + working <= freeDevice / 2 -> MemoryPlan(Reading.WHOLE, decoded, working)
                regionsPossible && working <= freeDevice -> MemoryPlan(Reading.REGIONS, decoded, working)
                regionsPossible -> throw NotEnoughMemoryException(working, freeDevice)
                else -> throw NotEnoughMemoryException(2 * (decoded + working), freeDevice)
            }
        }

        /** One band of output, the window in all its forms, the PNG's rows. */
        private fun working(width: Int, shape: ModelShape): Long {
            val outputWidth = width.toLong() * shape.scale
            val bandRows = shape.tileHeight * shape.scale.toLong()
            val tile = shape.tileWidth.toLong() * shape.tileHeight
            val tiles = tile * FLOATS_AND_PIXELS * (1L + shape.scale.toLong() * shape.scale)
            return outputWidth * bandRows * BYTES_PER_PIXEL + outputWidth * BYTES_PER_PIXEL * 4 + tiles + SPARE
        }
    }
}
