// Stand-ins for androidx.test:monitor, which Robolectric calls and which Maven cannot use (an .aar): they do nothing.
package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

@Suppress("unused", "UNUSED_PARAMETER")
object InstrumentationRegistry {
    @JvmStatic
    fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) = Unit
}
