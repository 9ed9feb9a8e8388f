// Names of results: the photo's own name, the scale, the model.
package org.mobilesr.core

/** Makes file names that survive any file system. */
public object OutputName {
    private const val LONGEST = 80
    private const val NAMELESS = "image"
    private val UNSAFE = Regex("[^\\p{L}\\p{N} ._()+-]")

    /** `IMG_1234.jpg` with scale 4 and `lkdn-s-x4` gives `IMG_1234_x4_lkdn-s.png`, or `.jpg` for another [format]. */
    public fun of(photo: String?, scale: Int, model: String, format: PictureFormat = PictureFormat.PNG): String {
        val stem = clean(photo.orEmpty().substringAfterLast('/').substringBeforeLast('.').take(LONGEST)).ifEmpty { NAMELESS }
        return "${stem}_x${scale}_${clean(model.removeSuffix("-x$scale"))}.${format.extension}"
    }

    private fun clean(text: String): String = UNSAFE.replace(text, "_").trim(' ', '.')
}
