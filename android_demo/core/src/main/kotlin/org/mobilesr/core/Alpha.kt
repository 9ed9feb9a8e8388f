// Transparency: the network sees colours only, alpha is enlarged beside it.
package org.mobilesr.core

/** What is done to one window of a picture with transparency. */
public object Alpha {
    /**
     * Gives invisible pixels the colour of their nearest visible neighbours, ring by ring.
     *
     * The colour under alpha 0 is undefined (often black) and would bleed through the network into the
     * visible edge as a dark fringe.
     *
     * @param pixels window of [width] x [height], changed in place; alpha stays as it was
     */
    public fun bleed(pixels: IntArray, width: Int, height: Int) {
        val known = BooleanArray(width * height) { pixels[it] ushr 24 != 0 }
        var front = known.indices.filter { !known[it] }
        while (front.isNotEmpty()) {
            val filled = ArrayList<Int>()
            for (i in front) {
                val colour = meanOfKnownNeighbours(pixels, known, i, width, height) ?: continue
                pixels[i] = (pixels[i] and (255 shl 24)) or colour
                filled += i
            }
            if (filled.isEmpty()) return // nothing visible in this window
            for (i in filled) known[i] = true
            front = front.filter { !known[it] }
        }
    }

    /**
     * Alpha of a window at a place of its enlargement, bilinear between pixel centres.
     *
     * @param x output column inside the window's enlargement
     * @param y output row inside the window's enlargement
     * @return 0 to 255
     */
    public fun bilinear(pixels: IntArray, width: Int, height: Int, scale: Int, x: Int, y: Int): Int {
        val u = ((x + 0.5f) / scale - 0.5f).coerceIn(0f, width - 1f)
        val v = ((y + 0.5f) / scale - 0.5f).coerceIn(0f, height - 1f)
        val left = u.toInt()
        val top = v.toInt()
        val right = minOf(left + 1, width - 1)
        val bottom = minOf(top + 1, height - 1)
        fun alpha(column: Int, row: Int) = (pixels[row * width + column] ushr 24).toFloat()
        val upper = alpha(left, top) + (u - left) * (alpha(right, top) - alpha(left, top))
        val lower = alpha(left, bottom) + (u - left) * (alpha(right, bottom) - alpha(left, bottom))
        return Math.round(upper + (v - top) * (lower - upper))
    }

    private fun meanOfKnownNeighbours(pixels: IntArray, known: BooleanArray, at: Int, width: Int, height: Int): Int? {
        val x = at % width
        val y = at / width
        var n = 0
        var red = 0
        var green = 0
        var blue = 0
        for (row in maxOf(0, y - 1)..minOf(height - 1, y + 1)) {
            for (column in maxOf(0, x - 1)..minOf(width - 1, x + 1)) {
                val i = row * width + column
                if (!known[i]) continue
                n++
                red += pixels[i] ushr 16 and 255
                green += pixels[i] ushr 8 and 255
                blue += pixels[i] and 255
            }
        }
        return if (n == 0) null else (red / n shl 16) or (green / n shl 8) or (blue / n)
    }
}
