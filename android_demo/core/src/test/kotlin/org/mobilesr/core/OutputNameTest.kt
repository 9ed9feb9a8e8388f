package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Test

class OutputNameTest {
    @Test
    fun `photo, scale, model`() = assertEquals("IMG_1234_x4_lkdn-s.png", OutputName.of("IMG_1234.jpg", 4, "lkdn-s-x4"))

    @Test
    fun `the ending is the format's`() = assertEquals("a_x4_m.jpg", OutputName.of("a.heic", 4, "m", PictureFormat.JPEG))

    @Test
    fun `odd names become harmless`() {
        assertEquals("image_x2_m.png", OutputName.of(null, 2, "m"))
        assertEquals("image_x2_m.png", OutputName.of("...", 2, "m"))
        assertEquals("passwd_x2_m.png", OutputName.of("../../etc/passwd", 2, "m"))
        assertEquals("_a_b_x2_m_n.png", OutputName.of("?a:b.png", 2, "m/n"))
        assertEquals("写真 (1)_x4_m.png", OutputName.of("写真 (1).heic", 4, "m"))
    }

    @Test
    fun `long names are cut`() = assertEquals(80 + "_x4_m.png".length, OutputName.of("a".repeat(500), 4, "m").length)
}
