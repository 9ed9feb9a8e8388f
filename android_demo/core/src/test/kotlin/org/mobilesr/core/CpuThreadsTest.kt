package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

class CpuThreadsTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `the fast cores count, at most four`() {
        assertEquals("1 + 3 fast of 8", 4, choose(3_200_000, 2_800_000, 2_800_000, 2_800_000, 2_000_000, 2_000_000, 2_000_000, 2_000_000))
        assertEquals("2 fast of 8", 2, choose(2_400_000, 2_400_000, 1_500_000, 1_500_000, 1_500_000, 1_500_000, 1_500_000, 1_500_000))
        assertEquals("all alike", 4, choose(*LongArray(8) { 2_000_000 }))
        assertEquals(1, choose(1_000_000))
    }

    @Test
    fun `a kernel that does not tell`() {
        assertEquals(4, CpuThreads.choose(File(folder.root, "none"), cores = 8))
        assertEquals(2, CpuThreads.choose(folder.newFolder("cpu0").parentFile, cores = 2))
    }

    private fun choose(vararg clocks: Long): Int {
        val cpus = folder.newFolder()
        File(cpus, "cpufreq").mkdirs()
        clocks.forEachIndexed { i, clock -> File(cpus, "cpu$i/cpufreq").apply { mkdirs() }.resolve("cpuinfo_max_freq").writeText("$clock\n") }
        return CpuThreads.choose(cpus)
    }
}
