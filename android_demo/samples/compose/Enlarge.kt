// One screen in Jetpack Compose: pick a photo, enlarge it, see it, know what ran. Compiled by tools/check_samples.sh, never run on a phone.
package sample

import android.graphics.Bitmap
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.compose.setContent
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.Image
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import org.mobilesr.MobileSr
import org.mobilesr.Models

class EnlargeActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent { MaterialTheme { Enlarge() } }
    }
}

@Composable
fun Enlarge() {
    val context = LocalContext.current
    var photo by remember { mutableStateOf<Uri?>(null) }
    var result by remember { mutableStateOf<Bitmap?>(null) }
    var said by remember { mutableStateOf("Pick a photo") }
    var fraction by remember { mutableStateOf<Float?>(null) }
    val picker = rememberLauncherForActivityResult(PickVisualMedia()) { photo = it ?: photo }
    LaunchedEffect(photo) { // another photo, or leaving the screen, cancels the work between two tiles
        val source = ImageDecoder.createSource(context.contentResolver, photo ?: return@LaunchedEffect)
        MobileSr.load(context, Models.LKDN_S_X4).use { sr ->
            said = "Runs on ${sr.ran}"
            result = sr.upscale(ImageDecoder.decodeBitmap(source) { decoder, _, _ -> decoder.isMutableRequired = true }) { fraction = it.fraction }
        }
    }
    Column(Modifier.fillMaxSize().padding(16.dp), Arrangement.spacedBy(16.dp)) {
        result?.let { Image(it.asImageBitmap(), "The enlarged photo", Modifier.weight(1f)) }
        Text(said)
        fraction?.let { LinearProgressIndicator(progress = { it }) }
        Button(onClick = { picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }) { Text("Pick a photo") }
    }
}
