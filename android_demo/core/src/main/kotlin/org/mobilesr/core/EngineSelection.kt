// Which engine really runs: what was asked for if it proves itself, else the CPU, with the reason kept.
package org.mobilesr.core

/**
 * A running engine and how it came to be chosen.
 *
 * @property engine runs the tiles; whoever selected it closes it
 * @property wanted what was asked for
 * @property gpuProblem why the GPU is not used although it was asked for, null if it is used or was not wanted
 * @property check the self-check of [engine]; null if there was no tile to check with
 */
public class Selection(
    public val engine: TileEngine,
    public val wanted: EngineRequest,
    public val gpuProblem: CheckResult?,
    public val check: CheckResult?,
) {
    public val runs: EngineRequest get() = engine.request
    public val fellBack: Boolean get() = gpuProblem != null
}

/** The model computes wrong results even on the CPU; there is nothing to fall back to. */
public class UnusableModelException(public val check: CheckResult) : Exception(check.toString())

/**
 * Chooses and proves engines for [model]. Call on the [EngineThread].
 *
 * @param trial remembers GPUs that took the process with them; null trusts them
 */
public class EngineSelector(private val factory: EngineFactory, private val model: LoadedModel, private val trial: GpuTrial? = null) {
    private val selfCheck = SelfCheck(model.card.range)

    /**
     * Makes an engine for [request].
     *
     * The GPU is asked for alone and must reproduce a golden tile: [golden], or without one what the CPU
     * makes of a synthetic tile. If it fails, the CPU runs and [Selection.gpuProblem] says why.
     *
     * @throws UnusableModelException if the CPU contradicts the golden tile too
     * @throws EngineException if the CPU cannot load the model
     */
    public fun select(request: EngineRequest, golden: GoldenTile?): Selection {
        if (request.accelerator == Accelerator.CPU) return onCpu(request, golden, null)
        val key = programKey(model, request, factory.fingerprint)
        trial?.badTrial(key)?.let { return onCpu(request, golden, CheckResult.Distrusted(it)) }
        val reference = golden ?: syntheticTile(request)
        val (gpu, check) = trial?.begin(key).use { tryGpu(request, reference) }
        if (gpu != null && check is CheckResult.Passed) return Selection(gpu, request, null, check)
        gpu?.close()
        return onCpu(request, golden, check)
    }

    private fun tryGpu(request: EngineRequest, reference: GoldenTile): Pair<TileEngine?, CheckResult> {
        val gpu = try {
            create(request)
        } catch (e: EngineException) {
            return null to CheckResult.Failed(e.message.orEmpty())
        }
        return gpu to selfCheck.check(gpu, reference)
    }

    /** A library that cannot be loaded is the runtime's refusal too: not the end of the thread that asked. */
    private fun create(request: EngineRequest): TileEngine = try {
        factory.create(model, request)
    } catch (e: LinkageError) {
        throw EngineException("${e.javaClass.simpleName}: ${e.message}", e)
    }

    private fun onCpu(wanted: EngineRequest, golden: GoldenTile?, gpuProblem: CheckResult?): Selection {
        val engine = create(wanted.copy(accelerator = Accelerator.CPU))
        val check = golden?.let { selfCheck.check(engine, it) }
        if (check != null && check !is CheckResult.Passed) {
            engine.close()
            throw UnusableModelException(check)
        }
        return Selection(engine, wanted, gpuProblem, check)
    }

    private fun syntheticTile(request: EngineRequest): GoldenTile {
        val input = SyntheticTile.make(model.shape, model.card.range)
        return create(request.copy(accelerator = Accelerator.CPU)).use {
            GoldenTile(input, it.run(input).copyOf())
        }
    }
}

/** A tile with smooth colour, edges and texture, for models that bring no golden tile, and for timing. */
public object SyntheticTile {
    /** One input tile of [shape] in [range]. */
    public fun make(shape: ModelShape, range: ValueRange): FloatArray {
        val values = FloatArray(shape.tileWidth * shape.tileHeight * 3)
        var o = 0
        for (y in 0 until shape.tileHeight) {
            for (x in 0 until shape.tileWidth) {
                val stripe = if ((x / 5 + y / 7) % 2 == 0) 0.25f else 0f
                val u = x / shape.tileWidth.toFloat()
                val v = y / shape.tileHeight.toFloat()
                for (colour in floatArrayOf(u, v, 1f - u)) {
                    values[o++] = range.low + (range.high - range.low) * (0.7f * colour + stripe)
                }
            }
        }
        return values
    }
}
