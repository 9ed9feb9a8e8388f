// A program of its own, so that a small heap can be given to it: 50 megapixels in, 800 out.
package org.mobilesr.core

/** A picture that exists nowhere: its pixels are computed when they are asked for. */
private class ComputedImage(override val width: Int, override val height: Int) : PixelSource {
    override val hasAlpha = false

    override fun read(x: Int, y: Int, width: Int, height: Int, into: IntArray) {
        for (i in 0 until width * height) into[i] = (255 shl 24) or ((x + i % width) * 31 + (y + i / width) * 17 and 0xFFFFFF)
    }
}

fun main() {
    val photo = ComputedImage(8660, 5774)
    val variants = listOf(96, 256).map { modelOf(it, scale = 4, halo = 24) }
    val free = FreeMemory(Runtime.getRuntime().maxMemory(), 2L shl 30)
    val model = MemoryPlan.fastest(variants, photo.width, photo.height, free)
    val plan = MemoryPlan.choose(photo.width, photo.height, model, free, regionsPossible = true)
    val answer = FloatArray(model.shape.tileWidth * model.shape.tileHeight * model.shape.scale * model.shape.scale * 3)
    val upscaler = Upscaler(photo, ScriptedEngine(CPU) { answer }, model, plan.bands)
    var rows = 0
    upscaler.run({ _, _ -> rows++ })
    check(rows == 4 * 5774) { "$rows rows" }
    println("tile ${model.shape.tileWidth}, bands ${plan.bands}")
}
