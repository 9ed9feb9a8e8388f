// How many threads the CPU is given: as many as there are fast cores, at most four.
package org.mobilesr.core

import java.io.File

/** Counts the fast cores of the device. */
public object CpuThreads {
    private const val MOST = 4

    /** A core is fast from this part of the fastest one's clock on. */
    private const val FAST = 0.7

    /**
     * The number of threads for a model: more than the fast cores would make all wait for a slow one.
     *
     * @param cpus the folder in which the kernel describes its cores
     * @param cores number of cores, used if the kernel does not tell their clocks
     */
    public fun choose(cpus: File = File("/sys/devices/system/cpu"), cores: Int = Runtime.getRuntime().availableProcessors()): Int {
        val clocks = cpus.listFiles { file -> file.name.matches(Regex("cpu\\d+")) }.orEmpty().mapNotNull { clock(it) }
        val fastest = clocks.maxOrNull() ?: return cores.coerceIn(1, MOST)
        return clocks.count { it >= FAST * fastest }.coerceIn(1, MOST)
    }

    /** Highest clock in kHz; null where the kernel does not say or does not let apps read it. */
    private fun clock(cpu: File): Long? = try {
        File(cpu, "cpufreq/cpuinfo_max_freq").readText().trim().toLongOrNull()
    } catch (_: java.io.IOException) {
        null
    }
}
