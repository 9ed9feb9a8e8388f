// The application: what lives as long as the process.
package org.mobilesr.app

import android.app.Activity
import android.app.Application
import android.content.Context
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineThread
import org.mobilesr.core.FileResult
import java.io.File

/** Owns the [Services]; tests give their own runtime. */
open class MobileSrApp : Application() {
    /** Made at the first use. */
    val services: Services by lazy { Services(this, runtime()) }

    /** The runtime of this build's flavor. */
    protected open fun runtime(): EngineFactory = runtimeFactory(this)
}

/** Everything that outlives a screen. */
class Services(context: Context, val runtime: EngineFactory) {
    /** The one thread of all engines. */
    val engineThread = EngineThread()

    /** Lists of models are read here, so that they can be looked at while the engine works. */
    val fileThread = EngineThread("files")
    val settings = Settings(context)
    val models = ModelStore(context, runtime)
    val results = File(context.cacheDir, "results").apply { mkdirs() }.also { FileResult.cleanUp(it) }
    val inputs = File(context.cacheDir, "inputs").apply { mkdirs() }
    val gallery = Gallery(context)
    val upscaling = UpscaleController(context, this)
    val benchmark = BenchmarkController(context, this)
}

/** The services of this process. */
val Context.services: Services get() = (applicationContext as MobileSrApp).services

/** Runs [work] beside the main thread and hands its result to [then] on it. */
fun <T> Activity.onFileThread(work: (Services) -> T, then: (T) -> Unit) {
    val services = services
    services.fileThread.submit {
        try {
            val result = work(services)
            runOnUiThread { if (!isDestroyed) then(result) }
        } catch (e: Exception) {
            crash(e)
        }
    }
}
