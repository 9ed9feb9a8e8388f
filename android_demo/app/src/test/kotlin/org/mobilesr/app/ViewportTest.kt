package org.mobilesr.app

import android.graphics.Rect
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class ViewportTest {
    private val viewport = Viewport().apply {
        picture(400, 200)
        view(100, 100)
    }

    @Test
    fun `the whole picture is centred at first`() {
        assertEquals(25f, viewport.bounds().top, 1e-3f)
        assertEquals(100f, viewport.bounds().width(), 1e-3f)
        assertEquals(Rect(0, 0, 400, 200), viewport.visible())
    }

    @Test
    fun `the point under the fingers stays`() {
        viewport.zoomBy(8f, 30f, 50f)
        val u = { (30f - viewport.bounds().left) / viewport.bounds().width() }
        assertEquals(0.3f, u(), 1e-3f)
        viewport.zoomBy(0.5f, 30f, 50f)
        assertEquals(0.3f, u(), 1e-3f)
    }

    @Test
    fun `it cannot be pushed out of the view or zoomed beyond sense`() {
        viewport.zoomBy(1e6f, 50f, 50f)
        assertEquals(8f, viewport.scale, 1e-3f)
        viewport.moveBy(1e6f, -1e6f)
        assertEquals(0f, viewport.bounds().left, 0.5f)
        assertEquals(100f, viewport.bounds().bottom, 0.5f)
        viewport.zoomBy(1e-6f, 0f, 0f)
        assertEquals(1f, viewport.zoom, 0f)
        assertEquals(25f, viewport.bounds().top, 1e-3f)
    }

    @Test
    fun `a place saved before the layout is restored by it`() {
        val fresh = Viewport().apply {
            picture(400, 200)
            restore(4f, 0.6f, 0.5f)
            view(100, 100)
        }
        assertEquals(4f, fresh.zoom, 0f)
        assertEquals(0.6f, fresh.centerX, 1e-3f)
        assertTrue(Rect(190, 50, 290, 150).contains(fresh.visible()))
    }
}
