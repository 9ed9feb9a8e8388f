// Reading and writing JSON without a library: the core has none, and the documents are small.
package org.mobilesr.core

/** The text is no JSON; [position] counts characters. */
public class JsonException(message: String, public val position: Int) : Exception("$message at character $position")

/** Parses and prints JSON made of maps, lists, strings, numbers ([Double]), booleans and null. */
public object Json {
    /** The value that [text] stands for. @throws JsonException if it is malformed */
    public fun parse(text: String): Any? = JsonParser(text).document()

    /** [value] as compact JSON; keys keep their order. */
    public fun write(value: Any?): String = when (value) {
        null -> "null"
        is Map<*, *> -> value.entries.joinToString(", ", "{", "}") { (k, v) -> "${quote(k.toString())}: ${write(v)}" }
        is Iterable<*> -> value.joinToString(", ", "[", "]") { write(it) }
        is Double -> if (value.isFinite()) trim(value) else "null"
        is Float -> write(value.toDouble())
        is Number, is Boolean -> value.toString()
        else -> quote(value.toString())
    }

    private fun trim(value: Double): String =
        if (value == Math.rint(value) && Math.abs(value) < 1e15) value.toLong().toString() else value.toString()

    private fun quote(text: String): String = buildString {
        append('"')
        for (c in text) {
            when {
                c == '"' || c == '\\' -> append('\\').append(c)
                c == '\n' -> append("\\n")
                c < ' ' -> append("\\u%04x".format(c.code))
                else -> append(c)
            }
        }
        append('"')
    }
}

private class JsonParser(private val text: String) {
    private var at = 0
    private var depth = 0

    fun document(): Any? = value().also { if (peek() != null) fail("text after the end") }

    private fun value(): Any? {
        if (++depth > MAX_DEPTH) fail("nested too deeply")
        val result = when (peek()) {
            '{' -> members()
            '[' -> elements()
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
        depth--
        return result
    }

    private fun members(): Map<String, Any?> {
        val map = LinkedHashMap<String, Any?>()
        take('{')
        if (peek() == '}') return map.also { at++ }
        do {
            if (peek() != '"') fail("a name expected")
            val name = string()
            take(':')
            map[name] = value()
        } while (comma('}'))
        return map
    }

    private fun elements(): List<Any?> {
        val list = ArrayList<Any?>()
        take('[')
        if (peek() == ']') return list.also { at++ }
        do list += value() while (comma(']'))
        return list
    }

    private fun comma(end: Char): Boolean = when (peek()) {
        ',' -> true.also { at++ }
        end -> false.also { at++ }
        else -> fail("',' or '$end' expected")
    }

    private fun string(): String = buildString {
        take('"')
        while (true) {
            when (val c = next()) {
                '"' -> return@buildString
                '\\' -> append(escaped())
                else -> append(c)
            }
        }
    }

    private fun escaped(): Char = when (val c = next()) {
        'n' -> '\n'
        't' -> '\t'
        'r' -> '\r'
        'b' -> '\b'
        'f' -> '\u000c'
        'u' -> (1..4).fold(0) { code, _ -> code * 16 + next().digitToInt16() }.toChar()
        '"', '\\', '/' -> c
        else -> fail("unknown escape \\$c")
    }

    private fun Char.digitToInt16(): Int = digitToIntOrNull(16) ?: fail("a hexadecimal digit expected")

    private fun number(): Double {
        val start = at
        while (at < text.length && text[at] in "+-.0123456789eE") at++
        return text.substring(start, at).toDoubleOrNull() ?: fail("a value expected")
    }

    private fun <T> word(word: String, value: T): T {
        if (!text.startsWith(word, at)) fail("a value expected")
        at += word.length
        return value
    }

    private fun peek(): Char? {
        while (at < text.length && text[at].isWhitespace()) at++
        return text.getOrNull(at)
    }

    private fun take(c: Char) {
        if (peek() != c) fail("'$c' expected")
        at++
    }

    private fun next(): Char = if (at < text.length) text[at++] else fail("the text ends inside a string")

    private fun fail(message: String): Nothing = throw JsonException(message, at)

    private companion object {
        const val MAX_DEPTH = 64
    }
}
