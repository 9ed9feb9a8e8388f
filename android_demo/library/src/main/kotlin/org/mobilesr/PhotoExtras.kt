// What of a photo's file goes over into the result's: what it says about itself, its colors, its HDR gain map.
package org.mobilesr

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import org.mobilesr.core.Exif
import org.mobilesr.core.Extras
import org.mobilesr.core.GainMap
import org.mobilesr.core.Keep
import org.mobilesr.core.Orientation
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.UltraHdr
import java.io.ByteArrayOutputStream

/**
 * The extras of a result of [photo], [width] x [height] pixels.
 *
 * The gain map keeps its own size, which may be any; turned upright it is encoded anew.
 */
public fun extrasOf(photo: Photo, width: Int, height: Int, format: PictureFormat, keep: Keep): Extras = Extras(
    color = photo.color,
    exif = Exif.forResult(Exif.read(photo.file), width, height, keep),
    gainMap = if (format == PictureFormat.JPEG && photo.mime == "image/jpeg") GainMap.read(photo.file)?.let { turned(it, photo.orientation) } else null,
)

private const val QUALITY = 95

private fun turned(map: GainMap, orientation: Orientation): ByteArray? {
    if (orientation == Orientation.NORMAL) return map.jpeg
    val stored = BitmapFactory.decodeByteArray(map.jpeg, 0, map.jpeg.size) ?: return null
    val upright = upright(stored, orientation)
    val bare = ByteArrayOutputStream().also { upright.compress(Bitmap.CompressFormat.JPEG, QUALITY, it) }.toByteArray()
    upright.recycle()
    return UltraHdr.second(bare, map.xmp)
}
