// A program of its own, so that a small heap can be given to it: 50 megapixels in, 200 out.
package org.mobilesr.core

/** A picture that exists nowhere: its pixels are computed when they are asked for. */
private class ComputedImage(override val width: Int, override val height: Int) : PixelSource {
    override val hasAlpha = false

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        for (i in 0 until width * height) into[i] = (255 shl 24) or ((x + i % width) * 31 + (y + i / width) * 17 and 0xFFFFFF)
    }
}

fun main() {
    val shape = shapeOf(tile = 256, scale = 2)
    val upscaler = Upscaler(ComputedImage(8660, 5774), NearestEngine(shape), shape, ValueRange.UNIT, halo = 4)
    var rows = 0
    upscaler.run({ _, _ -> rows++ })
    check(rows == 2 * 5774) { "$rows rows" }
}
