package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class JsonTest {
    @Test
    fun `reads every kind of value`() {
        val text = """ {"a": [1, -2.5e3, true, false, null], "s": "q\"\\\nü\u00fc", "o": {}, "l": []} """
        val expected = mapOf("a" to listOf(1.0, -2500.0, true, false, null), "s" to "q\"\\\nüü", "o" to emptyMap<String, Any>(), "l" to emptyList<Any>())
        assertEquals(expected, Json.parse(text))
    }

    @Test
    fun `what is written is read back`() {
        val value = mapOf("text" to "a \"b\" \\ \n \u0001 ü", "list" to listOf(1.0, 0.25, null, true), "none" to null)
        assertEquals(value, Json.parse(Json.write(value)))
    }

    @Test
    fun `whole numbers have no decimals, NaN becomes null`() =
        assertEquals("[3, 3.5, null, 7]", Json.write(listOf(3.0, 3.5, Double.NaN, 7)))

    @Test
    fun `malformed text is refused`() {
        val bad = listOf("", "{", "[1,]", "{\"a\" 1}", "{a: 1}", "\"open", "nul", "1 2", "[\"\\x\"]", "[\"\\u12g4\"]", "[".repeat(100))
        for (text in bad) assertThrows(text, JsonException::class.java) { Json.parse(text) }
    }
}
