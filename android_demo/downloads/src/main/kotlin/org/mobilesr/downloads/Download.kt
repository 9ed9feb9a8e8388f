// Fetches one file, and keeps it only if it is the listed one.
package org.mobilesr.downloads

import org.mobilesr.core.FileResult
import java.io.File
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL
import java.security.MessageDigest
import java.util.concurrent.CancellationException

/** What came is not the listed file: trying again will not help. */
public class WrongFileException(message: String) : IOException(message)

/**
 * Fetches listed files.
 *
 * @param connect opens a connection; a redirect to http is not followed by Java's own
 */
public class Download(private val connect: (String) -> HttpURLConnection = { URL(it).openConnection() as HttpURLConnection }) {
    /**
     * Fetches [model] into [target]: the whole file, checked, or nothing.
     *
     * @param stopped asked after each piece
     * @param progress is told the bytes so far
     * @throws WrongFileException if other bytes came than listed
     * @throws IOException if the server or the disk fails: later it may work
     * @throws CancellationException once [stopped] says so
     */
    public fun fetch(model: ListedModel, target: File, stopped: () -> Boolean = { false }, progress: (Long) -> Unit = {}) {
        val connection = connect(model.url)
        connection.connectTimeout = PATIENCE_MS
        connection.readTimeout = PATIENCE_MS
        try {
            if (connection.responseCode != HttpURLConnection.HTTP_OK) throw IOException("${model.name}: the server answered ${connection.responseCode}")
            val digest = MessageDigest.getInstance("SHA-256")
            FileResult.write(target) { out ->
                val bytes = connection.inputStream.use { from ->
                    val buffer = ByteArray(PIECE)
                    var sum = 0L
                    while (true) {
                        if (stopped()) throw CancellationException()
                        val n = from.read(buffer)
                        if (n < 0) break
                        sum += n
                        if (sum > model.bytes) throw WrongFileException("${model.name}: more than the listed ${model.bytes} bytes")
                        digest.update(buffer, 0, n)
                        out.write(buffer, 0, n)
                        progress(sum)
                    }
                    sum
                }
                if (bytes < model.bytes) throw IOException("${model.name}: the connection ended after $bytes of ${model.bytes} bytes")
                val actual = digest.digest().joinToString("") { "%02x".format(it) }
                if (actual != model.sha256) throw WrongFileException("${model.name}: sha256 $actual is not the listed one")
            }
        } finally {
            connection.disconnect()
        }
    }

    private companion object {
        const val PIECE = 1 shl 16
        const val PATIENCE_MS = 30_000
    }
}
