// Which engine really runs: what was asked for if it proves itself, else the CPU, with the reason kept.
package org.mobilesr.core

/** An accelerator that was wished for and does not run, and why. */
public data class NotRun(val accelerator: Accelerator, val why: CheckResult)

/**
 * A running engine and how it came to be chosen.
 *
 * @property engine runs the tiles; whoever selected it closes it
 * @property wanted what was asked for
 * @property notRun what was tried before [engine], in this order; empty if the wish was fulfilled
 * @property check the self-check of [engine]; null if there was no tile to check with
 */
public class Selection(
    public val engine: TileEngine,
    public val wanted: EngineRequest,
    public val notRun: List<NotRun>,
    public val check: CheckResult?,
) {
    public val runs: EngineRequest get() = engine.request
    public val fellBack: Boolean get() = notRun.isNotEmpty()

    /** Why the GPU is not used, null if it is used or was not tried. */
    public val gpuProblem: CheckResult? get() = notRun.firstOrNull { it.accelerator == Accelerator.GPU }?.why
}

/** The model computes wrong results even on the CPU; there is nothing to fall back to. */
public class UnusableModelException(public val check: CheckResult) : Exception(check.toString())

/**
 * Chooses and proves engines for [model]. Call on the [EngineThread].
 *
 * @param trial remembers drivers that took the process with them; null trusts them
 */
public class EngineSelector(private val factory: EngineFactory, private val model: LoadedModel, private val trial: GpuTrial? = null) {
    private val selfCheck = SelfCheck(model.card.range)

    /**
     * Makes an engine for [request].
     *
     * The NPU or the GPU is asked for alone and must reproduce a golden tile: [golden], or without one what the CPU
     * makes of a synthetic tile. An NPU that fails is followed by the GPU, a GPU that fails by the CPU, and
     * [Selection.notRun] says why.
     *
     * @throws UnusableModelException if the CPU contradicts the golden tile too
     * @throws EngineException if the CPU cannot load the model
     */
    public fun select(request: EngineRequest, golden: GoldenTile?): Selection {
        val notRun = ArrayList<NotRun>()
        val reference by lazy { golden ?: syntheticTile(request) }
        for (accelerator in Accelerator.entries) {
            if (accelerator < request.accelerator || accelerator == Accelerator.CPU) continue
            val asked = request.copy(accelerator = accelerator)
            val (engine, check) = prove(asked) { reference }
            if (engine != null && check is CheckResult.Passed) return Selection(engine, request, notRun, check)
            engine?.close()
            notRun += NotRun(accelerator, check)
        }
        return onCpu(request, golden, notRun)
    }

    private fun prove(asked: EngineRequest, reference: () -> GoldenTile): Pair<TileEngine?, CheckResult> {
        val key = programKey(model, asked, factory.fingerprint)
        trial?.badTrial(key)?.let { return null to CheckResult.Distrusted(it) }
        val tile = reference()
        return trial?.begin(key).use { attempt(asked, tile) }
    }

    private fun attempt(request: EngineRequest, reference: GoldenTile): Pair<TileEngine?, CheckResult> {
        val engine = try {
            create(request)
        } catch (e: EngineException) {
            return null to CheckResult.Failed(e.message.orEmpty())
        }
        return engine to selfCheck.check(engine, reference)
    }

    /** A library that cannot be loaded is the runtime's refusal too: not the end of the thread that asked. */
    private fun create(request: EngineRequest): TileEngine = try {
        factory.create(model, request)
    } catch (e: LinkageError) {
        throw EngineException("${e.javaClass.simpleName}: ${e.message}", e)
    }

    private fun onCpu(wanted: EngineRequest, golden: GoldenTile?, notRun: List<NotRun>): Selection {
        val engine = create(wanted.copy(accelerator = Accelerator.CPU))
        val check = golden?.let { selfCheck.check(engine, it) }
        if (check != null && check !is CheckResult.Passed) {
            engine.close()
            throw UnusableModelException(check)
        }
        return Selection(engine, wanted, notRun, check)
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
