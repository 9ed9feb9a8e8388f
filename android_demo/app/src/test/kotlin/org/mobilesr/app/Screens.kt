// Opening the main screen as other apps do, and reading it as people do.
package org.mobilesr.app

import android.app.Activity
import android.app.Application
import android.content.Intent
import android.net.Uri
import android.os.Looper
import android.view.View
import android.widget.TextView
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** What another app sends to share a photo. */
fun share(app: Application, name: String): Intent =
    Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, sharedPhoto(app, Made.photo(name)))

/** What another app sends to share several. */
fun shareAll(uris: List<Uri>): Intent =
    Intent(Intent.ACTION_SEND_MULTIPLE).setType("image/*").putParcelableArrayListExtra(Intent.EXTRA_STREAM, ArrayList(uris))

/** The main screen, settled. */
fun openMain(services: Services, intent: Intent = Intent()): ActivityController<MainActivity> =
    Robolectric.buildActivity(MainActivity::class.java, intent).setup().also { settle(services) }

fun Activity.click(id: Int) = findViewById<View>(id)!!.performClick()

fun Activity.text(id: Int): String = findViewById<TextView>(id)!!.text.toString()

fun Activity.isShown(id: Int) = findViewById<View>(id)!!.visibility == View.VISIBLE

/** Lets the main thread do what it has to do, without waiting for any worker. */
fun idle() = shadowOf(Looper.getMainLooper()).idle()

/** The `n`-th picture of the gallery. */
fun galleryUri(number: Int): Uri = Uri.parse("content://media/external_primary/images/media/$number")
