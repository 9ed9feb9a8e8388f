// Results into the phone's gallery.
package org.mobilesr.app

import android.content.ContentValues
import android.content.Context
import android.net.Uri
import android.os.Build
import android.os.Environment
import android.provider.MediaStore
import org.mobilesr.ProviderException
import org.mobilesr.core.Upscaled
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/**
 * Saves results through MediaStore, without any permission.
 *
 * Before Android 10 MediaStore would want the permission to write the whole storage; there the user
 * chooses the place instead ([canSave] is false).
 */
class Gallery(private val context: Context) {
    val canSave: Boolean get() = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q

    /** Copies [result] to Pictures/Mobile SR; on failure no entry is left. @throws IOException if it fails */
    fun save(result: Upscaled): Uri {
        val file = result.file
        val resolver = context.contentResolver
        val entry = ContentValues().apply {
            put(MediaStore.Images.Media.DISPLAY_NAME, file.name)
            put(MediaStore.Images.Media.MIME_TYPE, result.format.mime)
            put(MediaStore.Images.Media.RELATIVE_PATH, "${Environment.DIRECTORY_PICTURES}/$FOLDER")
            put(MediaStore.Images.Media.IS_PENDING, 1)
        }
        val uri = resolver.insert(MediaStore.Images.Media.getContentUri(MediaStore.VOLUME_EXTERNAL_PRIMARY), entry)
            ?: throw IOException("the gallery takes no new picture")
        var whole = false
        try {
            write(file, uri)
            resolver.update(uri, ContentValues().apply { put(MediaStore.Images.Media.IS_PENDING, 0) }, null, null)
            whole = true
        } finally {
            if (!whole) resolver.delete(uri, null, null)
        }
        return uri
    }

    /** Copies [file] to a place that the user chose. @throws IOException if it fails */
    fun write(file: File, uri: Uri) {
        try {
            val out = context.contentResolver.openOutputStream(uri) ?: throw FileNotFoundException(uri.toString())
            out.use { target -> file.inputStream().use { it.copyTo(target) } }
        } catch (e: SecurityException) {
            throw e
        } catch (e: RuntimeException) {
            throw ProviderException(e)
        }
    }

    private companion object {
        const val FOLDER = "Mobile SR"
    }
}
