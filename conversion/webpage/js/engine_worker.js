/**
 * One network in one worker. Above it, the build puts LiteRT.js as `LiteRT`, and Emscripten's script.
 *
 * It serves the page, which opens it and compares it, and over a port the worker that upscales photos.
 */

import { serve } from "./calls.js";
import { upscaleWindow } from "./channels.js";
import { goldenTile } from "./golden.js";
import { TEXTS } from "./texts.js";
import { unpacked } from "./unpack.js";

const VIEW_QUALITY = 0.95; // of the tiles that are looked at, not of the file that is saved

/** @type {import("./channels.js").Shape} */
let shape;
/** @type {any} */
let network;

/**
 * @param {object} request
 * @param {WebAssembly.Module} [request.wasm] LiteRT's
 * @param {string} [request.litert] the same, packed: one of the two
 * @param {string} request.model the .tflite, packed
 * @param {import("./channels.js").Shape} request.shape
 * @param {"wasm" | "webgpu"} request.accelerator
 * @returns {Promise<{wasm: WebAssembly.Module}>} for the next engine
 */
async function open({ wasm: given, litert = "", model, accelerator, shape: asked }) {
  shape = asked;
  const wasm = given ?? (await WebAssembly.compile(await unpacked(litert)));
  const scope = /** @type {any} */ (self);
  // A worker of a page on disk may load nothing: Emscripten's script stands above.
  scope.importScripts = () => {};
  scope.Module = {
    instantiateWasm: (/** @type {any} */ imports, /** @type {(...made: any[]) => void} */ done) => {
      WebAssembly.instantiate(wasm, imports).then((instance) => done(instance, wasm));
      return {};
    },
  };
  const { LiteRT } = scope;
  await LiteRT.loadLiteRt("above.js");
  // The fp16 that WebGPU would choose may differ by more than the 1 of 255 that is promised.
  network = await LiteRT.loadAndCompile(await unpacked(model), {
    accelerator,
    gpuOptions: { precision: "fp32" },
  });
  if (accelerator === "webgpu" && !network.isFullyAccelerated) throw new Error(TEXTS.gpuPartly);
  return { wasm };
}

/** @param {Float32Array} values @returns {Promise<Float32Array>} */
async function run(values) {
  const { LiteRT } = /** @type {any} */ (self);
  const input = new LiteRT.Tensor(values, [1, shape.height, shape.width, 3]);
  const [output] = await network.run(input);
  const result = await output.data();
  input.delete();
  output.delete();
  return result;
}

async function golden() {
  const result = await run(goldenTile(shape.height, shape.width));
  return { result, transfer: [result.buffer] };
}

/**
 * @param {object} request
 * @param {import("./channels.js").PhotoWindow} request.window
 * @param {import("./channels.js").Kept} request.kept
 */
async function upscale({ window, kept }) {
  const result = await upscaleWindow(window, kept, shape, run);
  const [rows, columns] = [(kept.bottom - kept.top) * shape.scale, (kept.right - kept.left) * shape.scale];
  const view = await viewOf(result.samples, rows, columns, window);
  return { ...result, view, transfer: [result.samples.buffer] };
}

/**
 * A tile to look at, as a small file.
 *
 * @param {Uint8Array} samples @param {number} height @param {number} width
 * @param {{colours: 1 | 3, alpha: boolean}} kind
 */
async function viewOf(samples, height, width, { colours, alpha }) {
  const pixels = new ImageData(width, height);
  for (let from = 0, to = 0; to < pixels.data.length;) {
    for (let colour = 0; colour < 3; colour++)
      pixels.data[to++] = samples[from + (colours === 1 ? 0 : colour)];
    from += colours;
    pixels.data[to++] = alpha ? samples[from++] : 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  const brush = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  brush.putImageData(pixels, 0, 0);
  return canvas.convertToBlob(alpha ? { type: "image/png" } : { type: "image/jpeg", quality: VIEW_QUALITY });
}

serve(/** @type {any} */ (self), {
  open,
  golden,
  /** @param {{port: MessagePort}} body */
  connect: ({ port }) => serve(port, { upscale }),
});
