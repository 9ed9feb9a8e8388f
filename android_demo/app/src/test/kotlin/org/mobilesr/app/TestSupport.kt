// What the app's tests share: generated files, the application under test, and waiting for its worker.
package org.mobilesr.app

import android.app.Activity
import android.app.ActivityManager
import android.content.Context
import android.graphics.Insets
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.WindowInsets
import org.mobilesr.core.Accelerator
import org.mobilesr.core.ArrayImage
import org.mobilesr.core.EngineFactory
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.LoadedModel
import org.mobilesr.core.TensorType
import org.mobilesr.core.TileEngine
import org.mobilesr.ModelStore
import org.mobilesr.runtimeFactory
import org.robolectric.Shadows.shadowOf
import java.io.File
import javax.imageio.ImageIO

/** Files made by tools/make_test_models.py; tests run in app/. */
object Made {
    private val root = File("../target")
    val assets = File(root, "test-assets/models")
    val parity = File(root, "parity")
    val shipped = File("../library/src/main/assets/models")

    fun other(name: String) = File(root, "test-models/$name.tflite")

    fun asset(name: String) = File(assets, "$name.tflite")

    fun photo(name: String) = File(parity, "${name}_in.png")

    /** What `mobile-sr upscale` makes of a photo. */
    fun expected(name: String, model: String = "detail-x4") = File(parity, "$model/${name}_out.png")

    /** Names of the photos that [model] was run on. */
    fun photosOf(model: String): List<String> =
        File(parity, model).list().orEmpty().filter { it.endsWith("_out.png") }.map { it.removeSuffix("_out.png") }
}

fun read(file: File): ArrayImage {
    val image = ImageIO.read(file)
    return ArrayImage(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
}

/** Largest difference of two pictures in steps of 1/255, over all channels. */
fun largestDifference(a: IntArray, b: IntArray): Int {
    check(a.size == b.size) { "${a.size} and ${b.size} pixels" }
    return a.indices.maxOf { i -> intArrayOf(0, 8, 16, 24).maxOf { Math.abs((a[i] ushr it and 255) - (b[i] ushr it and 255)) } }
}

/** The app with a runtime of the test's choice. */
class TestApp : MobileSrApp() {
    override fun onCreate() {
        super.onCreate()
        freeMemory(2000)
    }

    /** Lets the device have this many megabytes to give. */
    fun freeMemory(megabytes: Long) {
        val info = ActivityManager.MemoryInfo().apply { availMem = megabytes shl 20 }
        shadowOf(getSystemService(ActivityManager::class.java)).setMemoryInfo(info)
    }

    override fun runtime(): EngineFactory = runtimes(this)

    override fun models(runtime: EngineFactory) = ModelStore(this, runtime, folder, soc)

    companion object {
        /** What [runtime] gives; [reset] before each test. */
        var runtimes: (Context) -> EngineFactory = ::runtimeFactory

        /** Of the models: `models` are made for tests, `shipped` are what the name says. */
        var folder = "models"

        /** As the phone names its SoC. */
        var soc: String? = null

        fun reset() {
            runtimes = ::runtimeFactory
            folder = "models"
            soc = null
        }
    }
}

/** Claims to be a GPU, or an NPU, and computes with the real runtime's CPU; [spoil] changes what it answers. */
class PretendGpu(private val real: EngineFactory, private val spoil: (FloatArray) -> FloatArray = { it }) : EngineFactory {
    override val runtime get() = real.runtime
    override val types: Set<TensorType> get() = real.types
    override val accelerators get() = real.accelerators

    override val fingerprint get() = real.fingerprint

    override fun create(model: LoadedModel, request: EngineRequest): TileEngine {
        val cpu = real.create(model, request.copy(accelerator = Accelerator.CPU))
        if (request.accelerator == Accelerator.CPU) return cpu
        return object : TileEngine by cpu {
            override val request = request

            override fun run(input: FloatArray) = spoil(cpu.run(input))
        }
    }
}

/** Cannot load anything. */
class ThrowingFactory(private val real: EngineFactory, private val error: () -> Throwable) : EngineFactory {
    override val runtime get() = real.runtime
    override val types: Set<TensorType> get() = real.types
    override val fingerprint get() = real.fingerprint

    override fun create(model: LoadedModel, request: EngineRequest): TileEngine = throw error()
}

/** Waits until the workers have nothing left to do and the screen shows it. */
fun settle(services: Services) {
    repeat(3) {
        services.fileThread.submit { }.get()
        services.ioThread.submit { }.get()
        shadowOf(Looper.getMainLooper()).idle()
        services.engineThread.submit { }.get()
        shadowOf(Looper.getMainLooper()).idle()
    }
}

/** A content URI that another app might hand over. */
fun sharedPhoto(context: Context, file: File, name: String = file.name): Uri {
    val uri = Uri.parse("content://gallery.example/photos/$name")
    shadowOf(context.contentResolver).registerInputStreamSupplier(uri) { file.inputStream() }
    return uri
}

fun openModel(file: File): LoadedModel = LoadedModel.openUserFile(file, file.name, setOf(TensorType.FLOAT32, TensorType.INT8))

/** Dispatches system bars as a phone has them, and lays the window out again. */
fun layOutWithBars(activity: Activity, top: Int, bottom: Int) {
    val decor = activity.window.decorView
    val insets = WindowInsets.Builder()
        .setInsets(WindowInsets.Type.statusBars(), Insets.of(0, top, 0, 0))
        .setInsets(WindowInsets.Type.navigationBars(), Insets.of(0, 0, 0, bottom))
        .build()
    decor.dispatchApplyWindowInsets(insets)
    shadowOf(Looper.getMainLooper()).idle()
    val exactly = { size: Int -> View.MeasureSpec.makeMeasureSpec(size, View.MeasureSpec.EXACTLY) }
    val (width, height) = decor.width to decor.height
    decor.measure(exactly(width), exactly(height))
    decor.layout(0, 0, width, height)
}
