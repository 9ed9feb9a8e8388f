package org.mobilesr.app

import android.app.Application
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Color
import android.net.Uri
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.MobileSr
import org.mobilesr.ModelSource
import org.mobilesr.core.Accelerator
import org.mobilesr.core.CheckResult
import org.mobilesr.core.Output
import org.mobilesr.core.OutputSize
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.RefusedModelException
import org.mobilesr.runtimeFactory
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import java.io.ByteArrayOutputStream
import javax.imageio.ImageIO

/** The library as another app uses it, on the real runtime. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class MobileSrTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val detail = ModelSource.Shipped("detail-x4")

    @Before
    fun reset() = TestApp.reset()

    @Test
    fun `a bitmap comes back four times as large, equal to Python's`() = runBlocking {
        MobileSr.load(app, detail, Accelerator.CPU).use { sr ->
            var last = 0f
            val result = sr.upscale(BitmapFactory.decodeFile(Made.photo("synthetic").path)) { last = it.fraction }
            assertEquals(1f, last)
            val expected = read(Made.expected("synthetic"))
            val pixels = IntArray(result.width * result.height).also { result.getPixels(it, 0, result.width, 0, 0, result.width, result.height) }
            assertTrue(largestDifference(expected.pixels, pixels) <= 1)
        }
    }

    @Test
    fun `it says what ran, and why not the GPU`() = runBlocking {
        MobileSr.load(app, detail).use { sr ->
            assertEquals(Accelerator.CPU, sr.ran.request.accelerator)
            assertTrue("${sr.ran}", sr.ran.notRun.single().why is CheckResult.Failed && "the GPU: " in sr.ran.toString())
        }
        MobileSr.load(app, detail, runtime = PretendGpu(runtimeFactory(app))).use { assertEquals("GPU fp16", it.ran.toString()) }
    }

    @Test
    fun `from one URI to another, in the size and the format that were wished`() = runBlocking {
        val place = Uri.parse("content://gallery.example/new")
        val bytes = ByteArrayOutputStream().also { shadowOf(app.contentResolver).registerOutputStream(place, it) }
        MobileSr.load(app, detail, Accelerator.CPU).use { sr ->
            val done = sr.upscale(sharedPhoto(app, Made.photo("small")), place, Output(OutputSize.LongSide(200), PictureFormat.JPEG))
            assertEquals(listOf(200, 143), listOf(done.width, done.height))
        }
        assertEquals(200, ImageIO.read(bytes.toByteArray().inputStream()).width)
        assertEquals("nothing is left behind", 0, app.cacheDir.list().orEmpty().count { it.startsWith("mobilesr") })
    }

    @Test
    fun `a cancelled coroutine stops between two tiles, and the network can be used again`() = runBlocking {
        MobileSr.load(app, detail, Accelerator.CPU).use { sr ->
            val photo = BitmapFactory.decodeFile(Made.photo("synthetic").path)
            var tiles = 0
            lateinit var job: Job
            job = launch { sr.upscale(photo) { if (++tiles == 2) job.cancel() } }
            job.join()
            assertTrue(job.isCancelled)
            assertEquals(2, tiles)
            assertEquals(4, sr.upscale(Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888).apply { eraseColor(Color.RED) }).width)
        }
    }

    @Test
    fun `a model of one's own, and one that is none`() {
        runBlocking {
            MobileSr.load(app, ModelSource.InFile(Made.other("nearest-x2")), Accelerator.CPU).use { sr ->
                assertEquals(20, sr.upscale(Bitmap.createBitmap(10, 10, Bitmap.Config.ARGB_8888)).width)
            }
        }
        assertThrows(RefusedModelException::class.java) { runBlocking { MobileSr.load(app, ModelSource.InFile(Made.other("grey"))) } }
        assertThrows(IllegalArgumentException::class.java) { runBlocking { MobileSr.load(app, ModelSource.Shipped("nonsense")) } }
    }
}
