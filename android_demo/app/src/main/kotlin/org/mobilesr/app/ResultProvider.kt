// Lets other apps read results that are shared with them, and nothing else.
package org.mobilesr.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import org.mobilesr.core.PictureFormat
import java.io.File
import java.io.FileNotFoundException

/** Read-only; access is granted for each shared URI by the share intent. */
class ResultProvider : ContentProvider() {
    override fun onCreate() = true

    override fun getType(uri: Uri) = mimeOf(uri.lastPathSegment.orEmpty())

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw FileNotFoundException("read-only")
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun query(uri: Uri, projection: Array<String>?, selection: String?, args: Array<String>?, order: String?): Cursor {
        val file = file(uri)
        val known = mapOf<String, Any>(OpenableColumns.DISPLAY_NAME to file.name, OpenableColumns.SIZE to file.length())
        val columns = (projection ?: known.keys.toTypedArray()).filter { it in known }.toTypedArray()
        return MatrixCursor(columns, 1).apply { addRow(columns.map { known.getValue(it) }) }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = throw UnsupportedOperationException()

    override fun update(uri: Uri, values: ContentValues?, selection: String?, args: Array<String>?): Int = throw UnsupportedOperationException()

    override fun delete(uri: Uri, selection: String?, args: Array<String>?): Int = throw UnsupportedOperationException()

    /** The result that [uri] names: a plain file of the results folder, whatever the URI tries. */
    private fun file(uri: Uri): File {
        val name = uri.pathSegments.singleOrNull()
        val folder = requireNotNull(context).services.results
        return folder.listFiles().orEmpty().firstOrNull { it.isFile && it.name == name && mimeOf(it.name) != null }
            ?: throw FileNotFoundException(uri.toString())
    }

    companion object {
        /** The MIME type of a result, null if a file of this name is none. */
        fun mimeOf(name: String): String? = PictureFormat.entries.firstOrNull { name.endsWith(".${it.extension}") }?.mime

        /** The URI under which [file] of the results folder is shared. */
        fun uriOf(context: Context, file: File): Uri {
            require(file.parentFile == context.services.results) { "$file is no result" }
            return Uri.Builder().scheme("content").authority("${context.packageName}.results").appendPath(file.name).build()
        }
    }
}
