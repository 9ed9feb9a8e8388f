// Pictures in intents: those that come in, those that go out.
package org.mobilesr.app

import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.os.Parcelable

/** All pictures that this intent carries, in whichever of the three ways, each once. */
fun Intent.pictures(): List<Uri> {
    val clip = clipData
    val clipped = if (clip == null) emptyList() else (0 until clip.itemCount).mapNotNull { clip.getItemAt(it).uri }
    val sent = when (action) {
        Intent.ACTION_SEND -> listOfNotNull(stream())
        Intent.ACTION_SEND_MULTIPLE -> streams()
        else -> listOfNotNull(data)
    }
    return (sent + clipped).distinct()
}

/** Offers [results] to other apps, readable for whichever the user chooses. */
fun shareIntent(results: List<Uri>): Intent {
    val intent = if (results.size == 1) {
        Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, results.single())
    } else {
        Intent(Intent.ACTION_SEND_MULTIPLE).putParcelableArrayListExtra(Intent.EXTRA_STREAM, ArrayList<Parcelable>(results))
    }
    val mime = results.map { ResultProvider.mimeOf(it.lastPathSegment.orEmpty()) }.distinct().singleOrNull() ?: "image/*"
    val clip = ClipData(null, arrayOf(mime), ClipData.Item(results.first()))
    results.drop(1).forEach { clip.addItem(ClipData.Item(it)) }
    intent.clipData = clip
    return intent.setType(mime).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
}

private fun Intent.stream(): Uri? = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
    getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)
} else {
    @Suppress("DEPRECATION")
    getParcelableExtra(Intent.EXTRA_STREAM)
}

private fun Intent.streams(): List<Uri> = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
    getParcelableArrayListExtra(Intent.EXTRA_STREAM, Uri::class.java)
} else {
    @Suppress("DEPRECATION")
    getParcelableArrayListExtra(Intent.EXTRA_STREAM)
}.orEmpty().filterNotNull()
