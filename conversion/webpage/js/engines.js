/** The network, running: in one worker on the graphics processor, or in several on the processor. */

import { Caller } from "./calls.js";
import { compare } from "./golden.js";
import { packed, programOf } from "./payload.js";
import { TEXTS } from "./texts.js";

const MOST_WORKERS = 4; // a phone's fast cores; more would only share the memory's speed
const MEMORY_SHARE = 0.15; // of the device's, for all engines together
const UNKNOWN_MEMORY_GB = 4;

/** @typedef {"auto" | "webgpu" | "wasm"} Wish */

/** Opened engines of one model. */
export class Engines {
  /**
   * @param {Engine[]} engines
   * @param {import("./payload.js").Model} model
   * @param {string} ran what the work is done on, for people
   * @param {string} note "" or why not on what was wished
   */
  constructor(engines, model, ran, note) {
    this.engines = engines;
    this.model = model;
    this.ran = ran;
    this.note = note;
  }

  /** @returns {Promise<MessagePort[]>} one an engine, for the worker that upscales */
  async ports() {
    return Promise.all(
      this.engines.map(async (engine) => {
        const { port1, port2 } = new MessageChannel();
        await engine.ask("connect", { port: port1 }, [port1]);
        return port2;
      }),
    );
  }

  close() {
    for (const engine of this.engines) engine.close();
  }
}

/** One worker with the network in it. */
class Engine extends Caller {
  /** @param {string} program address of the worker's */
  constructor(program) {
    const worker = new Worker(program);
    super(worker);
    this.worker = worker;
    worker.onerror = (event) => this.fail(new Error(event.message));
  }

  close() {
    this.worker.terminate();
    this.fail(new Error("closed"));
  }
}

/**
 * Opens a model on the graphics processor if its picture agrees with the processor's, else on the processor.
 *
 * @param {import("./payload.js").Model} model
 * @param {Wish} wish
 * @returns {Promise<Engines>}
 */
export async function openEngines(model, wish) {
  engineAddress ??= programOf("engine-worker");
  const program = await engineAddress;
  const open = async (/** @type {"wasm" | "webgpu"} */ accelerator) => {
    const engine = new Engine(program);
    try {
      const request = { accelerator, shape: model.shape, model: packed(model.id), wasm: compiled };
      const answer = await engine.ask("open", compiled ? request : { ...request, litert: packed("litert") });
      compiled ??= answer.wasm;
    } catch (error) {
      engine.close();
      throw error;
    }
    return engine;
  };
  const first = await open("wasm");
  let note = "";
  if (wish !== "wasm") {
    const { engine, refused } = await agreeingGpu(first, open, wish);
    if (engine) {
      first.close();
      return new Engines([engine], model, TEXTS.gpu, "");
    }
    note = refused;
  }
  const more = Array.from({ length: workersFor(model) - 1 }, () => open("wasm"));
  const workers = [first, ...(await Promise.all(more))];
  return new Engines(workers, model, TEXTS.cpu(workers.length), note);
}

/**
 * @param {Engine} trusted
 * @param {(accelerator: "wasm" | "webgpu") => Promise<Engine>} open
 * @param {Wish} wish
 * @returns {Promise<{engine: Engine?, refused: string}>}
 */
async function agreeingGpu(trusted, open, wish) {
  const adapter = await adapterFor(wish);
  if (!adapter) return { engine: null, refused: wish === "webgpu" ? TEXTS.gpuNotThere : "" };
  let engine;
  try {
    engine = await open("webgpu");
    const [right, own] = [await trusted.ask("golden", {}), await engine.ask("golden", {})];
    const { agree, levels } = compare(right.result, own.result);
    if (agree) return { engine, refused: "" };
    engine.close();
    return { engine: null, refused: TEXTS.gpuWrong(levels.toFixed(1)) };
  } catch (error) {
    engine?.close();
    return { engine: null, refused: TEXTS.gpuFailed(error instanceof Error ? error.message : String(error)) };
  }
}

/**
 * One that is software on the processor is slower than WebAssembly: it is taken only if asked for.
 * @param {Wish} wish
 */
async function adapterFor(wish) {
  const gpu = /** @type {any} */ (navigator).gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  return adapter && (wish === "webgpu" || !adapter.info?.isFallbackAdapter) ? adapter : null;
}

/**
 * One core is left to the page, and to what else the device does.
 * @param {import("./payload.js").Model} model
 */
function workersFor(model) {
  const gigabytes = /** @type {any} */ (navigator).deviceMemory ?? UNKNOWN_MEMORY_GB;
  const room = Math.floor((gigabytes * 1e9 * MEMORY_SHARE) / model.memory);
  return Math.max(1, Math.min(MOST_WORKERS, room, (navigator.hardwareConcurrency || 2) - 1));
}

/** @type {WebAssembly.Module | undefined} */
let compiled; // by the first engine: unpacking takes too long for the page itself
/** @type {Promise<string> | undefined} */
let engineAddress;
