package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test

class ModelCardTest {
    private val entry = """{"name": "lkdn-s-x4", "file": "lkdn-s-x4.tflite", "sha256": "AB12", "family": "LKDN", "scale": 4,
        "tile": [64, 96], "halo": 16, "range": [0, 1], "recipe": "float16", "licence": "MIT", "credit": "the authors",
        "golden": {"input": "in.png", "output": "out.png"}, "something new": [1, 2]}"""

    @Test
    fun `reads what the exporter writes`() {
        val card = ModelCard.list("""{"schema": 1, "models": [$entry]}""").single()
        assertEquals("lkdn-s-x4", card.name)
        assertEquals("ab12", card.sha256)
        assertEquals(64, card.tileHeight)
        assertEquals(96, card.tileWidth)
        assertEquals(ValueRange.UNIT, card.range)
        assertEquals(GoldenFiles("in.png", "out.png"), card.golden)
    }

    @Test
    fun `an empty list is fine`() = assertEquals(emptyList<ModelCard>(), ModelCard.list("""{"schema": 1, "models": []}"""))

    @Test
    fun `refuses what it does not know or cannot trust`() {
        val bad = listOf(
            "no json",
            "[]",
            """{"schema": 2, "models": []}""",
            """{"models": [$entry]}""",
            """{"schema": 1, "models": [{"name": "a"}]}""",
            """{"schema": 1, "models": [{"name": "a", "file": "../b.tflite", "halo": 1}]}""",
            """{"schema": 1, "models": [{"name": "a", "file": "b.tflite", "halo": -1}]}""",
            """{"schema": 1, "models": [{"name": "a", "file": "b.tflite", "halo": 1, "range": [1, 1]}]}""",
            """{"schema": 1, "models": [{"name": "a", "file": "b.tflite", "halo": 1, "tile": [64]}]}""",
        )
        for (text in bad) {
            val error = assertThrows(text, RefusedModelException::class.java) { ModelCard.list(text) }
            assertEquals(Refusal.CARD, error.reason)
        }
    }

    @Test
    fun `a user's file takes halo and range from its metadata`() {
        val shape = shapeOf(64, 4)
        val file = TfliteFile(listOf(shape.input), listOf(shape.output), """{"halo": 8, "range": [-1, 1], "licence": "MIT", "file": "x"}""")
        val card = ModelCard.ofUserFile("mine.tflite", file, shape)
        assertEquals("mine", card.name)
        assertEquals("mine.tflite", card.file)
        assertEquals(8, card.halo)
        assertEquals(ValueRange(-1f, 1f), card.range)
        assertNull(card.golden)
    }

    @Test
    fun `without metadata a halo is guessed that leaves half of the tile`() {
        val shape = shapeOf(32, 2)
        assertEquals(8, ModelCard.ofUserFile("mine.tflite", TfliteFile(listOf(shape.input), listOf(shape.output), null), shape).halo)
    }

    @Test
    fun `the halo is the network's need, cut so that half of the tile stays core`() {
        assertEquals(24, cardOf(halo = 24).haloIn(shapeOf(256, 4)))
        assertEquals(24, cardOf(halo = 24).haloIn(shapeOf(96, 4)))
        assertEquals(16, cardOf(halo = 24).haloIn(shapeOf(64, 4)))
        cardOf(halo = 32).requireFits(shapeOf(64, 4))
        assertEquals(Refusal.HALO, assertThrows(RefusedModelException::class.java) { cardOf(halo = 33).requireFits(shapeOf(64, 4)) }.reason)
    }

    @Test
    fun `card and tensors must agree`() {
        val card = ModelCard.list("""{"schema": 1, "models": [$entry]}""").single()
        assertEquals(Refusal.CARD, assertThrows(RefusedModelException::class.java) { card.requireFits(shapeOf(64, 4)) }.reason)
        assertEquals(Refusal.HALO, assertThrows(RefusedModelException::class.java) { cardOf(halo = 17).requireFits(shapeOf(32, 4)) }.reason)
    }
}
