package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class TilePlanTest {
    @Test
    fun `kept parts cover every pixel once, windows stay inside, the halo is kept`() {
        for (length in 1..200) {
            for ((tile, halo) in listOf(16 to 0, 16 to 3, 16 to 7, 64 to 16)) {
                val spans = TilePlan.spans(length, tile, halo)
                assertEquals(0, spans.first().keepFrom)
                assertEquals(length, spans.last().keepTo)
                spans.zipWithNext { a, b -> assertEquals(a.keepTo, b.keepFrom) }
                for (span in spans) {
                    assertTrue(span.start >= 0 && (length <= tile || span.start + tile <= length))
                    assertTrue(span.keepFrom == 0 || span.keepFrom - span.start >= halo)
                    assertTrue(span.keepTo == length || span.start + tile - span.keepTo >= halo)
                    assertTrue(span.keepTo > span.keepFrom)
                }
            }
        }
    }

    @Test
    fun `the same plan as conversion tiles py`() {
        // plan_fixed_tiles(150, ., (64, 64), 16)
        assertEquals(
            listOf(Span(0, 0, 48), Span(32, 48, 80), Span(64, 80, 102), Span(86, 102, 150)),
            TilePlan.spans(150, 64, 16),
        )
    }

    @Test
    fun `one window more only when it is needed`() {
        assertEquals(1, TilePlan.spans(64, 64, 16).size)
        assertEquals(2, TilePlan.spans(65, 64, 16).size)
        assertEquals(2, TilePlan.spans(96, 64, 16).size)
        assertEquals(3, TilePlan.spans(97, 64, 16).size)
    }

    @Test
    fun `a halo that leaves nothing is refused`() {
        assertThrows(IllegalArgumentException::class.java) { TilePlan.spans(100, 32, 16) }
    }

    @Test
    fun `an output beyond 31 bits is an error, not a wrap-around`() {
        val plan = TilePlan(1_000_000_000, 1, 64, 64, 16, 4)
        assertThrows(ArithmeticException::class.java) { plan.outputWidth }
    }
}
