// The main screen: choose, upscale, compare, save, share.
package org.mobilesr.app

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.view.WindowManager
import android.widget.Toast

/** Draws [UpscaleController]'s state and passes the user's wishes on to it. */
class MainActivity : Activity() {
    private lateinit var screen: MainScreen

    /** Photos that came before it was known what the last process left. */
    private var waiting: List<Uri> = emptyList()
    private val watcher: (ScreenState) -> Unit = { state ->
        screen.show(state)
        keepScreenOn(state is ScreenState.Working)
        if (state !is ScreenState.Opening && waiting.isNotEmpty()) {
            val photos = waiting
            waiting = emptyList()
            choose(photos)
        }
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        edgeToEdge(findViewById(R.id.root)!!)
        screen = MainScreen(this, services, wishes)
        if (savedInstanceState == null) receive(intent)
    }

    override fun onStart() {
        super.onStart()
        services.upscaling.state.watch(watcher)
        Notifications(this).seen()
        onFileThread({ it.models.usable() }, screen::offer) // again after a visit to the models screen
    }

    override fun onStop() {
        services.upscaling.state.unwatch(watcher)
        super.onStop()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    @Deprecated("The replacement is in androidx")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        if (resultCode != RESULT_OK || data == null) return
        when (requestCode) {
            PICK -> choose(data.pictures())
            SAVE -> data.data?.let { services.upscaling.save(it) }
        }
    }

    private val wishes = object : MainWishes {
        override fun pick() {
            val multiple = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
                Intent(MediaStore.ACTION_PICK_IMAGES).setType(IMAGES).putExtra(MediaStore.EXTRA_PICK_IMAGES_MAX, MediaStore.getPickImagesMaxLimit())
            } else {
                openDocument()
            }
            // a device without the photo picker still has the document picker
            if (!tryToStart(multiple, PICK) && !tryToStart(openDocument(), PICK)) toast(R.string.no_picker)
        }

        override fun start() {
            val done = services.upscaling.state.value as? ScreenState.Done
            if (done?.unsaved == true) return askToDiscard { services.upscaling.start() }
            askForNotifications()
            services.upscaling.start()
        }

        override fun save(done: ScreenState.Done) {
            if (services.gallery.canSave) return services.upscaling.save()
            val next = (done.finished.firstOrNull { it.saved == null } ?: done.finished.last()).result
            val intent = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(next.format.mime)
            if (!tryToStart(intent.putExtra(Intent.EXTRA_TITLE, next.file.name), SAVE)) toast(R.string.no_picker)
        }

        override fun share(done: ScreenState.Done) {
            startActivity(Intent.createChooser(shareIntent(done.finished.map { ResultProvider.uriOf(this@MainActivity, it.result.file) }), null))
        }

        override fun openModels() = startActivity(Intent(this@MainActivity, ModelsActivity::class.java))

        override fun openBenchmark() = startActivity(Intent(this@MainActivity, BenchmarkActivity::class.java))
    }

    /** Takes what was shared in, once: from Recents the same intent comes again, without its permissions. */
    private fun receive(intent: Intent?) {
        if (intent == null || intent.flags and Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY != 0) return
        if (intent.action == Intent.ACTION_SEND || intent.action == Intent.ACTION_SEND_MULTIPLE) choose(intent.pictures())
        setIntent(Intent(this, MainActivity::class.java))
    }

    private fun choose(pictures: List<Uri>) {
        val state = services.upscaling.state.value
        when {
            pictures.isEmpty() -> Unit
            state is ScreenState.Opening -> waiting = pictures
            state is ScreenState.Done && state.unsaved -> askToDiscard { services.upscaling.choose(pictures) }
            !services.upscaling.choose(pictures) -> toast(R.string.busy)
        }
    }

    private fun askToDiscard(then: () -> Unit) {
        AlertDialog.Builder(this)
            .setTitle(R.string.unsaved_title)
            .setMessage(R.string.unsaved_text)
            .setPositiveButton(R.string.discard) { _, _ -> then() }
            .setNegativeButton(R.string.keep, null)
            .show()
    }

    private fun openDocument() = Intent(Intent.ACTION_OPEN_DOCUMENT)
        .addCategory(Intent.CATEGORY_OPENABLE)
        .setType(IMAGES)
        .putExtra(Intent.EXTRA_ALLOW_MULTIPLE, true)

    private fun tryToStart(intent: Intent, code: Int): Boolean = try {
        startActivityForResult(intent, code)
        true
    } catch (_: ActivityNotFoundException) {
        false
    }

    private fun askForNotifications() {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU || services.settings.askedForNotifications) return
        services.settings.askedForNotifications = true
        if (checkSelfPermission(Manifest.permission.POST_NOTIFICATIONS) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(arrayOf(Manifest.permission.POST_NOTIFICATIONS), NOTIFY)
        }
    }

    private fun keepScreenOn(on: Boolean) {
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (on) window.addFlags(flag) else window.clearFlags(flag)
    }

    private fun toast(text: Int) = Toast.makeText(this, text, Toast.LENGTH_LONG).show()

    private companion object {
        const val PICK = 1
        const val SAVE = 2
        const val NOTIFY = 3
        const val IMAGES = "image/*"
    }
}
