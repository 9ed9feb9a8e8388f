// Robolectric's own stand-in for the region decoder gives empty pictures; this one gives the right ones.
package org.mobilesr.app

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.BitmapRegionDecoder
import android.graphics.Rect
import org.mobilesr.srgb
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadow.api.Shadow
import java.io.IOException

/** Decodes the whole picture and cuts rectangles out of it. */
@Implements(BitmapRegionDecoder::class)
class RealRegions {
    private lateinit var whole: Bitmap

    @Implementation
    fun getWidth(): Int = whole.width

    @Implementation
    fun getHeight(): Int = whole.height

    @Implementation
    fun decodeRegion(rect: Rect, options: BitmapFactory.Options): Bitmap {
        val part = Bitmap.createBitmap(whole, rect.left, rect.top, rect.width(), rect.height())
        val sample = maxOf(1, options.inSampleSize)
        val copy = if (sample == 1) part.copy(Bitmap.Config.ARGB_8888, false) else Bitmap.createScaledBitmap(part, part.width / sample, part.height / sample, true)
        return copy.apply { setHasAlpha(whole.hasAlpha()) }
    }

    @Implementation
    fun recycle() = Unit

    companion object {
        @Implementation
        @JvmStatic
        fun newInstance(path: String, @Suppress("UNUSED_PARAMETER") shareable: Boolean): BitmapRegionDecoder {
            val picture = BitmapFactory.decodeFile(path, srgb()) ?: throw IOException("no picture")
            val decoder = Shadow.newInstanceOf(BitmapRegionDecoder::class.java)
            Shadow.extract<RealRegions>(decoder).whole = picture
            return decoder
        }
    }
}
