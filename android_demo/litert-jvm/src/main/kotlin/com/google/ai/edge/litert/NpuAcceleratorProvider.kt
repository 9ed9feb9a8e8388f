// Who knows where the libraries for an NPU lie.
package com.google.ai.edge.litert

import android.content.Context

/** The stand-in has no members: on a desktop there is no NPU. */
interface NpuAcceleratorProvider

/** Those that are in the app. */
class BuiltinNpuAcceleratorProvider(private val context: Context) : NpuAcceleratorProvider
