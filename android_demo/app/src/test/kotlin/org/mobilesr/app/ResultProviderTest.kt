package org.mobilesr.app

import android.net.Uri
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import java.io.File
import java.io.FileNotFoundException

@RunWith(RobolectricTestRunner::class)
class ResultProviderTest {
    private val app = RuntimeEnvironment.getApplication()
    private val provider = Robolectric.setupContentProvider(ResultProvider::class.java, "org.mobilesr.app.results")
    private val result = File(app.services.results, "a b_x4.png").apply { writeText("picture") }

    @Test
    fun `results can be read`() {
        val uri = ResultProvider.uriOf(app, result)
        provider.openFile(uri, "r").use { assertEquals(7, it.statSize) }
        assertEquals("image/png", provider.getType(uri))
    }

    @Test
    fun `nothing else can`() {
        File(app.cacheDir, "secret.png").writeText("secret")
        File(app.services.results, "half.png.part").writeText("half")
        val tries = listOf("..%2Fsecret.png", "%2E%2E/secret.png", "../secret.png", "half.png.part", "", "none.png", "a b_x4.png/x")
        for (path in tries) {
            val uri = Uri.parse("content://org.mobilesr.app.results/$path")
            assertThrows(path, FileNotFoundException::class.java) { provider.openFile(uri, "r") }
            assertThrows(path, FileNotFoundException::class.java) { provider.query(uri, null, null, null, null) }
        }
        assertThrows(FileNotFoundException::class.java) { provider.openFile(ResultProvider.uriOf(app, result), "rw") }
        assertThrows(IllegalArgumentException::class.java) { ResultProvider.uriOf(app, File(app.cacheDir, "secret.png")) }
    }
}
