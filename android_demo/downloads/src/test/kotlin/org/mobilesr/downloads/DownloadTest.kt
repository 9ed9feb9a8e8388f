package org.mobilesr.downloads

import com.sun.net.httpserver.HttpServer
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.net.HttpURLConnection
import java.net.InetSocketAddress
import java.net.URL
import java.security.MessageDigest
import java.util.concurrent.CancellationException

/** Against a real server on this machine; only its address is not https. */
class DownloadTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val content = ByteArray(300_000) { (it * 31 shr 3).toByte() }
    private var status = 200
    private var sent = content
    private val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
    private val target by lazy { File(folder.root, "m.tflite") }
    private val model by lazy {
        val sha256 = MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }
        ListedModel("m", "http://127.0.0.1:${server.address.port}/m", sha256, content.size.toLong(), "MIT")
    }

    @Before
    fun serve() {
        server.createContext("/m") { exchange ->
            exchange.sendResponseHeaders(status, sent.size.toLong())
            exchange.responseBody.use { it.write(sent) }
        }
        server.start()
    }

    @After
    fun stop() = server.stop(0)

    @Test
    fun `the listed file comes whole, and its progress ends with its size`() {
        val told = ArrayList<Long>()
        Download().fetch(model, target) { told += it }
        assertArrayEquals(content, target.readBytes())
        assertEquals(told.sorted(), told)
        assertEquals(model.bytes, told.last())
    }

    @Test
    fun `other bytes are refused for good and leave nothing`() {
        for (other in listOf(content.copyOf().also { it[7]++ }, content + 1)) {
            sent = other
            assertThrows(WrongFileException::class.java) { Download().fetch(model, target) }
            assertEquals(emptyList<String>(), folder.root.list()!!.toList())
        }
    }

    @Test
    fun `a server's error and a cut connection may be tried again, and leave an older file as it was`() {
        target.writeText("older")
        status = 503
        assertTrue("503" in assertThrows(IOException::class.java) { Download().fetch(model, target) }.message!!)
        status = 200
        sent = content.copyOf(1000)
        val cut = assertThrows(IOException::class.java) { Download().fetch(model, target) }
        assertFalse("$cut", cut is WrongFileException)
        assertEquals("older", target.readText())
        assertEquals(listOf("m.tflite"), folder.root.list()!!.toList())
    }

    @Test
    fun `stopped in the middle it leaves nothing`() {
        var pieces = 0
        assertThrows(CancellationException::class.java) { Download().fetch(model, target, { ++pieces > 2 }) }
        assertEquals(emptyList<String>(), folder.root.list()!!.toList())
    }

    @Test
    fun `the list takes https, a checksum and a size, and nothing else`() {
        fun list(url: String = "https://example.org/m", sha256: String = "AB".repeat(32), bytes: String = "7") =
            ListedModel.list("""{"schema": 1, "models": [{"name": "m", "url": "$url", "sha256": "$sha256", "bytes": $bytes, "licence": "MIT"}]}""")
        assertEquals(ListedModel("m", "https://example.org/m", "ab".repeat(32), 7, "MIT"), list().single())
        val bad = listOf({ list(url = "http://example.org/m") }, { list(sha256 = "ab") }, { list(bytes = "0") }, { list(bytes = "1e12") }, { list(bytes = "null") })
        for (attempt in bad + listOf({ ListedModel.list("[]") }, { ListedModel.list("{") }, { ListedModel.list("""{"schema": 1}""") })) {
            assertThrows(BadListException::class.java) { attempt() }
        }
    }
}
