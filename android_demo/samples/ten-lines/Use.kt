// All that an app needs; compiled against the AAR by tools/build_aar.sh, shown in the README.
import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import org.mobilesr.MobileSr
import org.mobilesr.Models
import org.mobilesr.core.Output
import org.mobilesr.core.OutputSize
import org.mobilesr.core.PictureFormat

suspend fun enlarge(context: Context, bitmap: Bitmap, from: Uri, to: Uri): Bitmap =
    MobileSr.load(context, Models.LKDN_S_X4).use { sr ->
        println("runs on ${sr.ran}") // GPU fp16, or the CPU and why
        val wish = Output(OutputSize.LongSide(8000), PictureFormat.JPEG, quality = 95)
        val file = sr.upscale(from, to, wish) { println("${it.done} of ${it.total}") } // streamed, cancellable
        println("${file.width} x ${file.height} in ${file.seconds} s")
        sr.upscale(bitmap)
    }
