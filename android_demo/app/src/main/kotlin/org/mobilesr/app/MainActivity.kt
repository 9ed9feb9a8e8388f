// The main screen: choose or receive photos, upscale, compare, save, share.
package org.mobilesr.app

import android.Manifest
import android.app.Activity
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
    private val watcher: (ScreenState) -> Unit = { state ->
        screen.show(state)
        keepScreenOn(state is ScreenState.Working)
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
            askForNotifications()
            services.upscaling.start()
        }

        override fun save(done: ScreenState.Done) {
            if (services.gallery.canSave) return services.upscaling.save()
            val intent = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(Gallery.MIME)
            if (!tryToStart(intent.putExtra(Intent.EXTRA_TITLE, done.finished.last().result.file.name), SAVE)) toast(R.string.no_picker)
        }

        override fun share(done: ScreenState.Done) {
            startActivity(Intent.createChooser(shareIntent(done.finished.map { ResultProvider.uriOf(this@MainActivity, it.result.file) }), null))
        }

        override fun openModels() = startActivity(Intent(this@MainActivity, ModelsActivity::class.java))

        override fun openBenchmark() = startActivity(Intent(this@MainActivity, BenchmarkActivity::class.java))
    }

    private fun receive(intent: Intent?) {
        if (intent?.action == Intent.ACTION_SEND || intent?.action == Intent.ACTION_SEND_MULTIPLE) choose(intent.pictures())
    }

    private fun choose(pictures: List<Uri>) {
        if (pictures.isNotEmpty() && !services.upscaling.choose(pictures)) toast(R.string.busy)
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
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return
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
