// The runtime's environment, shared by models.
package com.google.ai.edge.litert

import com.sun.jna.Pointer

/** Made once, closed after the models that use it. */
class Environment private constructor(internal val handle: Pointer) : JniHandle() {
    /** Settings of an environment; the stand-in knows none. */
    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }

    /** What can be asked for: on a desktop the CPU. */
    fun getAvailableAccelerators(): Set<Accelerator> = setOf(Accelerator.CPU)

    override fun destroy() = NativeApi.instance.LiteRtDestroyEnvironment(handle)

    companion object {
        /** Makes an environment. */
        @JvmStatic
        fun create(options: Map<Option, String> = mapOf()): Environment {
            require(options.isEmpty()) { "the stand-in knows no options" }
            return Environment(NativeApi.pointer("environment") { LiteRtCreateEnvironment(0, null, it) })
        }

        /** Makes an environment that knows a vendor's libraries; on a desktop there are none. */
        @JvmStatic
        fun create(npuAcceleratorProvider: NpuAcceleratorProvider, options: Map<Option, String> = mapOf()): Environment = create(options)
    }
}
