package org.mobilesr.app

import android.graphics.Bitmap
import android.os.Bundle
import android.view.KeyEvent
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import android.view.accessibility.AccessibilityNodeInfo.AccessibilityAction
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilesr.Photo
import org.mobilesr.core.EngineRequest
import org.mobilesr.core.Accelerator
import org.mobilesr.core.PictureFormat
import org.mobilesr.core.Upscaled
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode

/** The comparison without fingers: by TalkBack, switches and keyboards. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class BeforeAfterViewTest {
    private val app = RuntimeEnvironment.getApplication()
    private val view = BeforeAfterView(app, null)

    @Before
    fun layOut() {
        val photo = Photo.of(Made.photo("small"), "small.png")
        val result = Upscaled(photo.file, 280, 200, PictureFormat.PNG, EngineRequest(Accelerator.CPU), emptyList(), 1, 1.0)
        view.measure(View.MeasureSpec.makeMeasureSpec(400, View.MeasureSpec.EXACTLY), View.MeasureSpec.makeMeasureSpec(600, View.MeasureSpec.EXACTLY))
        view.layout(0, 0, 400, 600)
        view.compare(photo.preview(100), Bitmap.createBitmap(280, 200, Bitmap.Config.ARGB_8888), Finished(photo, result, null))
    }

    @Test
    fun `a seek bar that can be set, moved and zoomed`() {
        @Suppress("DEPRECATION")
        val info = AccessibilityNodeInfo.obtain().also { view.onInitializeAccessibilityNodeInfo(it) }
        assertEquals("android.widget.SeekBar", info.className)
        val labels = info.actionList.mapNotNull { it.label?.toString() }
        assertTrue("$labels", listOf("Zoom in", "Zoom out").all { it in labels })
        assertTrue(AccessibilityAction.ACTION_SET_PROGRESS in info.actionList)
        val value = Bundle().apply { putFloat(AccessibilityNodeInfo.ACTION_ARGUMENT_PROGRESS_VALUE, 80f) }
        assertTrue(view.performAccessibilityAction(AccessibilityAction.ACTION_SET_PROGRESS.id, value))
        assertEquals(0.8f, view.split, 1e-6f)
        assertTrue(view.performAccessibilityAction(R.id.action_zoom_in, null))
        assertTrue(view.performClick())
    }

    @Test
    fun `keys move the divider and zoom`() {
        assertTrue(view.onKeyDown(KeyEvent.KEYCODE_DPAD_RIGHT, null))
        assertEquals(0.6f, view.split, 1e-6f)
        assertTrue(view.onKeyDown(KeyEvent.KEYCODE_MOVE_END, null))
        assertEquals(1f, view.split, 0f)
        assertTrue(view.onKeyDown(KeyEvent.KEYCODE_PLUS, null))
        assertFalse(view.onKeyDown(KeyEvent.KEYCODE_A, null))
    }

    @Test
    fun `the handle is not the system's back gesture`() {
        val strip = view.systemGestureExclusionRects.single()
        assertTrue("$strip", strip.left == 0 && strip.right == 400 && strip.contains(200, (600 * DividerPainter.HANDLE_AT).toInt()))
    }
}
