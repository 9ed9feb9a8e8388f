package org.mobilesr.app

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.Status
import com.google.ai.edge.litert.TensorBuffer
import com.sun.jna.Pointer
import org.junit.Assert.assertEquals
import org.junit.Test
import java.io.File
import java.lang.reflect.Modifier

/** The stand-in for Google's library offers what is on the list of members seen in its sources, and nothing more. */
class LiteRtApiTest {
    private val classes = listOf(
        Accelerator::class.java, Status::class.java, LiteRtException::class.java, Environment::class.java, TensorBuffer::class.java, BuiltinNpuAcceleratorProvider::class.java,
        CompiledModel::class.java, CompiledModel.Options::class.java, CompiledModel.Options.Companion::class.java,
        CompiledModel.CpuOptions::class.java, CompiledModel.GpuOptions::class.java, CompiledModel.GpuOptions.Precision::class.java,
    )

    @Test
    fun `the stand-in and the list are the same`() {
        val listed = File("../litert-jvm/api.txt").readLines().filter { it.isNotBlank() && !it.startsWith("#") }.map { it.substringBefore('(') }.distinct()
        assertEquals(listed.sorted().joinToString("\n"), classes.flatMap { members(it) }.distinct().sorted().joinToString("\n"))
    }

    private fun members(type: Class<*>): List<String> {
        val name = type.name.removePrefix("com.google.ai.edge.litert.").replace('$', '.').removeSuffix(".Companion")
        if (type.isEnum) return type.enumConstants!!.map { "$name.$it" }
        val offered = type.constructors.filter { it.parameterCount in 1..4 && !it.isSynthetic && it.parameterTypes.none { p -> p == Pointer::class.java } }
        val constructors = if (offered.isNotEmpty()) listOf(name) else emptyList()
        val functions = type.declaredMethods
            .filter { Modifier.isPublic(it.modifiers) && !it.isSynthetic && '$' !in it.name && it.name !in GENERATED && !it.name.startsWith("component") }
            .map { "$name.${property(it.name)}" }
        return constructors + functions
    }

    private fun property(function: String): String {
        val bare = function.removePrefix("get").removePrefix("set")
        return if (bare == function) function else if (bare.all { it.isUpperCase() }) bare else bare.replaceFirstChar { it.lowercase() }
    }

    private companion object {
        val GENERATED = setOf("copy", "equals", "hashCode", "toString")
    }
}
