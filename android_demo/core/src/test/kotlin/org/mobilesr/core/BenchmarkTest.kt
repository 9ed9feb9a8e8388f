package org.mobilesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CancellationException

class BenchmarkTest {
    private val model = modelOf(tile = 64, scale = 4, halo = 16)
    private var clock = 0L

    @Test
    fun `warm-up is apart, the median is of the tiles`() {
        val result = run(BenchmarkPlan(CPU, warmup = 2, runs = 10))
        assertEquals(2, result.warmup.count)
        assertEquals(10, result.tiles.count)
        assertEquals("first tile costs 100 ms", 100.0, result.warmup.first, 1e-9)
        assertEquals(20.0, result.tiles.median, 1e-9)
        assertEquals("32x32 kept pixels, 16 times as many out, in 20 ms", 0.8192, result.megapixelsPerSecond, 1e-9)
    }

    @Test
    fun `a GPU that failed is not called GPU`() {
        val result = run(BenchmarkPlan(GPU, warmup = 1, runs = 1))
        assertEquals(Accelerator.CPU, result.ran.accelerator)
        assertEquals(Accelerator.GPU, result.wanted.accelerator)
        assertEquals(listOf(NotRun(Accelerator.GPU, CheckResult.Failed("no OpenCL, sorry"))), result.notRun)
    }

    @Test
    fun `can be cancelled`() {
        val cancel = CancelToken().apply { cancel() }
        assertThrows(CancellationException::class.java) { run(BenchmarkPlan(CPU), cancel) }
    }

    @Test
    fun `a plan beyond all measure is refused, not overflowed`() {
        assertThrows(IllegalArgumentException::class.java) { BenchmarkPlan(CPU, runs = Int.MAX_VALUE) }
        assertThrows(IllegalArgumentException::class.java) { BenchmarkPlan(CPU, warmup = 0) }
    }

    @Test
    fun `the log line is benchmark_model's`() {
        val line = BenchmarkReport.logLine(run(BenchmarkPlan(CPU, warmup = 1, runs = 3)))
        assertEquals("Inference timings in us: Init: 5000, First inference: 100000, Warmup (avg): 100000, Inference (avg): 20000", line)
        val pattern = Regex("Init: (\\S+), First inference: (\\S+), Warmup \\(avg\\): (\\S+), Inference \\(avg\\): (\\S+)$")
        assertEquals(20000.0, pattern.find(line)!!.groupValues[4].toDouble(), 0.0)
    }

    @Test
    fun `CSV quotes, JSON is read back`() {
        val results = listOf(run(BenchmarkPlan(GPU, warmup = 1, runs = 1)))
        val (header, line) = BenchmarkReport.csv(results).trim().split("\r\n")
        assertTrue(header.startsWith("model,recipe,runtime"))
        assertTrue(line, line.contains("\"Failed(message=no OpenCL, sorry)\""))
        val json = Json.parse(BenchmarkReport.json(results)) as Map<*, *>
        val entry = (json["results"] as List<*>).single() as Map<*, *>
        assertEquals("cpu", entry["accelerator"])
        assertEquals(20.0, entry["median_ms"])
    }

    @Test
    fun `order statistics`() {
        val timings = Timings.of(listOf(9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0))
        assertEquals(5.5, timings.median, 0.0)
        assertEquals(9.0, timings.p90, 0.0)
        assertEquals(9.0, timings.first, 0.0)
        assertEquals(1.0, Timings.of(listOf(1.0)).p90, 0.0)
    }

    private fun run(plan: BenchmarkPlan, cancel: CancelToken = CancelToken()): BenchmarkResult {
        clock = 0
        return BenchmarkRunner(factory, "test bench", thermal = { Thermal.NONE }, nowNanos = { clock }).run(model, null, plan, cancel)
    }

    /** Loads in 5 ms, needs 100 ms for the first tile and 20 ms for each other. */
    private val factory = object : EngineFactory {
        override val runtime = "fake"
        override val types = setOf(TensorType.FLOAT32)

        override val fingerprint = "fake"

        override fun create(model: LoadedModel, request: EngineRequest): TileEngine {
            if (request.accelerator == Accelerator.GPU) throw EngineException("no OpenCL, sorry")
            clock += 5_000_000
            var runs = 0
            return ScriptedEngine(request) {
                clock += if (runs++ == 0) 100_000_000 else 20_000_000
                it
            }
        }
    }
}
