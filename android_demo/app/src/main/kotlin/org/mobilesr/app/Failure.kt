// Everything that can go wrong with a photo, as far as the user can do something about it.
package org.mobilesr.app

import org.mobilesr.OversizedFileException
import org.mobilesr.ProviderException
import org.mobilesr.UnreadablePhotoException
import org.mobilesr.core.BrokenOutputException
import org.mobilesr.core.CheckResult
import org.mobilesr.core.EngineException
import org.mobilesr.core.NotEnoughMemoryException
import org.mobilesr.core.NotEnoughSpaceException
import org.mobilesr.core.RefusedModelException
import org.mobilesr.core.UnusableModelException
import java.io.FileNotFoundException
import java.io.IOException

/** What went wrong; [Texts] has a sentence for each. */
sealed interface Failure {
    data object Unreadable : Failure
    data object Denied : Failure
    data object TooLarge : Failure
    data object NoModel : Failure
    data object TimeUp : Failure
    data object Interrupted : Failure
    data object Gone : Failure
    data class FileTooLarge(val megabytes: Long) : Failure
    data class Memory(val needed: Long, val available: Long) : Failure
    data class Space(val needed: Long, val available: Long) : Failure
    data class BrokenOutput(val tile: Int) : Failure
    data class Engine(val message: String) : Failure
    data class Unusable(val check: CheckResult) : Failure
    data class Refused(val reason: RefusedModelException) : Failure
    data class Storage(val message: String) : Failure
    data class OtherApp(val message: String) : Failure

    /** A mistake of this app. */
    data class Internal(val message: String) : Failure

    /** A sentence of an earlier process. */
    data class Said(val text: String) : Failure

    companion object {
        /** The failure behind [e]: there is one for everything, so that no thread ends without a word. */
        fun of(e: Throwable): Failure = when (e) {
            is UnreadablePhotoException -> Unreadable
            is OversizedFileException -> FileTooLarge(e.limit shr 20)
            is ProviderException -> OtherApp(e.message.orEmpty())
            is NotEnoughSpaceException -> Space(e.needed, e.available)
            is FileNotFoundException, is SecurityException -> Denied
            is ArithmeticException -> TooLarge
            is NotEnoughMemoryException -> Memory(e.needed, e.available)
            is OutOfMemoryError -> Runtime.getRuntime().let { Memory(it.maxMemory(), it.maxMemory() - it.totalMemory() + it.freeMemory()) }
            is BrokenOutputException -> BrokenOutput(e.tile)
            is EngineException -> Engine(e.message.orEmpty())
            is LinkageError -> Engine("${e.javaClass.simpleName}: ${e.message}")
            is UnusableModelException -> Unusable(e.check)
            is RefusedModelException -> Refused(e)
            is IOException -> Storage(e.message.orEmpty())
            else -> Internal("${e.javaClass.simpleName}: ${e.message}")
        }
    }
}
