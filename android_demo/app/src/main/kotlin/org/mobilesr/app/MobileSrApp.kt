// The application: what lives as long as the process.
package org.mobilesr.app

import android.app.Activity
import android.app.Application
import android.content.Context
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.util.Log
import org.mobilesr.ModelStore
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineThread
import org.mobilesr.core.FileResult
import org.mobilesr.core.GpuTrial
import org.mobilesr.runtimeFactory
import java.io.File

/** Owns the [Services]; tests give their own runtime. */
open class MobileSrApp : Application() {
    /** Made at the first use. */
    val services: Services by lazy { runtime().let { Services(this, it, models(it)) } }

    /** The runtime of this build's flavor. */
    protected open fun runtime(): EngineFactory = runtimeFactory(this)

    /** The models of this app. */
    protected open fun models(runtime: EngineFactory): ModelStore = ModelStore(this, runtime)

    /** True while somebody looks at one of the screens. */
    var isVisible = false
        private set

    override fun onCreate() {
        super.onCreate()
        registerActivityLifecycleCallbacks(Visibility { isVisible = it })
    }
}

/** Everything that outlives a screen. */
class Services(
    context: Context,
    val runtime: EngineFactory,
    val models: ModelStore = ModelStore(context, runtime),
    gpuLimitMs: Long = GpuTrial.LIMIT_MS,
) {
    /** The one thread of all engines. */
    val engineThread = EngineThread(onUncaught = ::log)

    /** Photos are copied in and results saved here, whatever the engine is doing. */
    val ioThread = EngineThread("photos", ::log)

    /** Lists of models are read here, so that they can be looked at while photos are copied. */
    val fileThread = EngineThread("files", ::log)
    val settings = Settings(context)
    val results = File(context.filesDir, "results").apply { mkdirs() }.also { FileResult.cleanUp(it) }
    val inputs = File(context.filesDir, "inputs").apply { mkdirs() }
    val gallery = Gallery(context)
    val gpuTrial = GpuTrial(File(context.noBackupFilesDir, "gpu-trial"), gpuLimitMs) { Handler(Looper.getMainLooper()).post { onGpuHung() } }
    val benchmark = BenchmarkController(context, this)
    val upscaling = UpscaleController(context, this)

    private fun onGpuHung() {
        // first the same work again, queued; then a fresh thread for all that is queued
        benchmark.onGpuHung()
        upscaling.onGpuHung()
        engineThread.abandon()
    }

    private fun log(e: Throwable) {
        Log.e("MobileSr", "work ended by a mistake of the app", e)
    }
}

/** The services of this process. */
val Context.services: Services get() = (applicationContext as MobileSrApp).services

/** Runs [work] beside the main thread and hands its result to [then] on it. */
fun <T> Activity.onFileThread(work: (Services) -> T, then: (T) -> Unit) {
    val services = services
    services.fileThread.post {
        val result = work(services)
        runOnUiThread { if (!isDestroyed) then(result) }
    }
}

/** Counts the screens that are started. */
private class Visibility(private val tell: (Boolean) -> Unit) : Application.ActivityLifecycleCallbacks {
    private var started = 0

    override fun onActivityStarted(activity: Activity) = tell(++started > 0)

    override fun onActivityStopped(activity: Activity) = tell(--started > 0)

    override fun onActivityCreated(activity: Activity, savedInstanceState: Bundle?) = Unit

    override fun onActivityResumed(activity: Activity) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(activity: Activity, outState: Bundle) = Unit

    override fun onActivityDestroyed(activity: Activity) = Unit
}
