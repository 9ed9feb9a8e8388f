// All or nothing: a result has its name only once it is whole.
package org.mobilesr.core

import java.io.BufferedOutputStream
import java.io.File
import java.io.IOException
import java.io.OutputStream

/** Writes files that are never seen half-written. */
public object FileResult {
    private const val SUFFIX = ".part"
    private const val BUFFER = 1 shl 16

    /**
     * Lets [write] fill a temporary file beside [target], [complete] work on it, and renames it when done; whatever they
     * throw, nothing is left.
     */
    public fun write(target: File, complete: (File) -> Unit = {}, write: (OutputStream) -> Unit): File {
        val part = File(target.path + SUFFIX)
        try {
            part.outputStream().use { file ->
                BufferedOutputStream(file, BUFFER).use { write(it) }
            }
            complete(part)
            if (!part.renameTo(target)) throw IOException("cannot rename ${part.name} to ${target.name}")
        } finally {
            part.delete()
        }
        return target
    }

    /** Deletes what a killed process left in [folder]. */
    public fun cleanUp(folder: File) {
        folder.listFiles { file -> file.name.endsWith(SUFFIX) }?.forEach { it.delete() }
    }
}
