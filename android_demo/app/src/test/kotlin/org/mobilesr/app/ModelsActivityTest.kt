package org.mobilesr.app

import android.app.AlertDialog
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.mobilesr.ModelStore
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowAlertDialog
import java.io.File
import java.io.IOException

@RunWith(RobolectricTestRunner::class)
class ModelsActivityTest {
    private val app = RuntimeEnvironment.getApplication()
    private lateinit var screen: ModelsActivity

    @Before
    fun open() {
        TestApp.reset()
        screen = Robolectric.buildActivity(ModelsActivity::class.java).setup().get()
        settle(app.services)
    }

    @Test
    fun `built-in models are listed with their facts and cannot be removed`() {
        assertEquals(listOf("detail-x4", "detail-x4-int8"), names())
        val facts = row(0).findViewById<TextView>(R.id.facts)!!.text.toString()
        assertTrue(facts, facts.startsWith("×4 · tiles of 64 × 64 · float32\nmade for tests · MIT\nSHA-256 "))
        assertEquals(View.GONE, row(0).findViewById<View>(R.id.remove)!!.visibility)
    }

    @Test
    fun `a file of the user's is added, used and removed`() {
        add(Made.other("nearest-x2"))
        assertEquals("nearest-x2 was added.", message())
        assertEquals("nearest-x2", names().last())
        assertEquals(3, app.services.models.usable().size)
        val remove = row(2).findViewById<View>(R.id.remove)!!
        assertEquals("Remove nearest-x2", remove.contentDescription)
        remove.performClick()
        ShadowAlertDialog.getLatestDialog().let { (it as AlertDialog).getButton(AlertDialog.BUTTON_POSITIVE).performClick() }
        settle(app.services)
        assertEquals(2, names().size)
    }

    @Test
    fun `a refusal says why, and keeps nothing`() {
        val expected = mapOf(
            "cut-in-half" to "damaged, cut off, or no .tflite file",
            "grey" to "no RGB image",
            "dynamic" to "size is not fixed",
            "classifier" to "no RGB image",
        )
        for ((name, words) in expected) {
            add(Made.other(name))
            assertTrue("$name: ${message()}", message().startsWith("$name.tflite was not added.") && words in message())
        }
        assertEquals(2, names().size)
        assertEquals(0, File(app.filesDir, "models").list()!!.size)
    }

    @Test
    fun `a file that cannot be read says why`() {
        val uri = Uri.parse("content://drive.example/away.tflite")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { throw IOException("offline") }
        screen.add(uri)
        settle(app.services)
        assertEquals("away.tflite was not added. The file could not be read: offline", message())
    }

    @Test
    fun `an own file that was damaged later stays in the list and says so`() {
        add(Made.other("nearest-x2"))
        File(app.filesDir, "models/nearest-x2.tflite").writeText("overwritten")
        val fresh = ModelStore(app, app.services.runtime)
        assertEquals(2, fresh.usable().size)
        assertEquals(3, fresh.all().size)
    }

    private fun add(file: File) {
        screen.add(sharedPhoto(app, file))
        settle(app.services)
    }

    private fun message() = screen.findViewById<TextView>(R.id.message)!!.text.toString()

    private fun list() = screen.findViewById<ViewGroup>(R.id.list)!!

    private fun row(index: Int) = list().getChildAt(index)

    private fun names() = (0 until list().childCount).map { row(it).findViewById<TextView>(R.id.name)!!.text.toString() }
}
