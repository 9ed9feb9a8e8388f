// Where finished rows go: from top to bottom, each exactly once.
package org.mobilesr.core

/** Receives a picture row by row. */
public fun interface RowSink {
    /**
     * Takes the next row.
     *
     * @param pixels `0xAARRGGBB`, read from [offset] for one row's width; the array is reused afterwards
     */
    public fun row(pixels: IntArray, offset: Int)
}
