/**
 * A window of any kind through a network for RGB: grey as three equal channels, transparency as a grey
 * picture of its own. The same steps as `upscale_window` and `write_samples` of Python's upscaler: colour is
 * multiplied by opacity before the network and divided by it afterwards, so that colour hidden under full
 * transparency never reaches a visible pixel.
 */

import { PhotoError } from "./errors.js";
import { TEXTS } from "./texts.js";
import { mirrored } from "./tiles.js";

/**
 * @typedef {object} Shape
 * @property {number} height of the network's window, pixels of the photo
 * @property {number} width of it
 * @property {number} scale
 *
 * @typedef {object} PhotoWindow
 * @property {Uint8Array} samples rows of pixels, opacity last
 * @property {number} height at most the network's
 * @property {number} width at most the network's
 * @property {1 | 3} colours
 * @property {boolean} alpha
 *
 * @typedef {{top: number, bottom: number, left: number, right: number}} Kept the part of a window whose
 *   result is kept, pixels of the photo counted from the window's own corner
 *
 * @typedef {{low: number[], high: number[]}} Range smallest and largest value a colour, in [0, 1]
 *
 * @typedef {(input: Float32Array) => Promise<Float32Array>} Run the network: (height, width, 3) in [0, 1] to
 *   (scale * height, scale * width, 3)
 */

const VALUES = Float32Array.from({ length: 256 }, (_, sample) => sample / 255);
const FLAT_RADIUS = 3; // to the nearest other opacity, beyond which a network is not asked about opacity
const FAINT = 4 / 255; // a contrast that rounding alone may swallow

/**
 * @param {PhotoWindow} window
 * @param {Kept} kept
 * @param {Shape} shape
 * @param {Run} run
 * @returns {Promise<{samples: Uint8Array, seen: Range, made: Range}>} the kept part enlarged, as the window's
 *   kind is, and the values that went into the network and came out of it
 * @throws {PhotoError} the network's result has no numbers
 */
export async function upscaleWindow(window, kept, shape, run) {
  const opacity = window.alpha ? opacityOf(window) : null;
  const seen = emptyRange(window.colours);
  const input = networkInput(window, shape, opacity, seen);
  if (!opacity || opacity.every((value) => value === 1)) {
    return { ...rounded(await run(input), null, window, kept, shape), seen };
  }
  if (opacity.every((value) => value === 0)) {
    const nothing = new Float32Array(shape.height * shape.width * 3 * shape.scale ** 2);
    return { ...rounded(nothing, largeOpacity(nothing, opacity, window, shape), window, kept, shape), seen };
  }
  const large = largeOpacity(await run(opacityInput(opacity, window, shape)), opacity, window, shape);
  return { ...rounded(await run(input), large, window, kept, shape), seen };
}

/** @param {number} colours @returns {Range} */
export function emptyRange(colours) {
  return { low: Array(colours).fill(Infinity), high: Array(colours).fill(-Infinity) };
}

/** @param {Range} whole taken note of @param {Range} part */
export function widen(whole, part) {
  whole.low = whole.low.map((value, colour) => Math.min(value, part.low[colour]));
  whole.high = whole.high.map((value, colour) => Math.max(value, part.high[colour]));
}

/**
 * Refuses what broken models and drivers return instead of a picture.
 *
 * @param {Range} seen @param {Range} made
 * @throws {PhotoError}
 */
export function refuseEmptyResult(seen, made) {
  const level = (/** @type {number} */ value) => Math.round(Math.min(1, Math.max(0, value)) * 255);
  if (Math.max(...made.high.map(level)) === 0 && Math.max(...seen.high) > FAINT)
    throw new PhotoError(TEXTS.black);
  const flat = made.low.every((low, colour) => level(low) === level(made.high[colour]));
  const contrast = Math.max(...seen.high.map((high, colour) => high - seen.low[colour]));
  if (flat && contrast > FAINT) throw new PhotoError(TEXTS.flat);
}

/** @param {PhotoWindow} window */
function opacityOf({ samples, colours, height, width }) {
  return Float32Array.from(
    { length: height * width },
    (_, at) => VALUES[samples[at * (colours + 1) + colours]],
  );
}

/**
 * The window as the network takes it; one smaller than the network's own is filled up by reflection.
 *
 * @param {PhotoWindow} window
 * @param {Shape} shape
 * @param {Float32Array?} opacity
 * @param {Range} seen
 */
function networkInput({ samples, height, width, colours, alpha }, shape, opacity, seen) {
  const bands = colours + (alpha ? 1 : 0);
  const input = new Float32Array(shape.height * shape.width * 3);
  const columns = Array.from({ length: shape.width }, (_, column) => mirrored(column, width));
  let at = 0;
  for (let row = 0; row < shape.height; row++) {
    const start = mirrored(row, height) * width;
    for (const column of columns) {
      const pixel = start + column;
      for (let colour = 0; colour < 3; colour++) {
        const own = colours === 1 ? 0 : colour;
        const value = Math.fround(VALUES[samples[pixel * bands + own]] * (opacity ? opacity[pixel] : 1));
        if (value < seen.low[own]) seen.low[own] = value;
        if (value > seen.high[own]) seen.high[own] = value;
        input[at++] = value;
      }
    }
  }
  return input;
}

/** @param {Float32Array} opacity @param {PhotoWindow} window @param {Shape} shape */
function opacityInput(opacity, { height, width }, shape) {
  const input = new Float32Array(shape.height * shape.width * 3);
  for (let row = 0, at = 0; row < shape.height; row++) {
    for (let column = 0; column < shape.width; column++, at += 3) {
      input.fill(opacity[mirrored(row, height) * width + mirrored(column, width)], at, at + 3);
    }
  }
  return input;
}

/**
 * The enlarged opacity; exactly 1 (or 0) where the photo is opaque (or clear) all around, for which a network
 * returns 0.998.
 *
 * @param {Float32Array} result of the network @param {Float32Array} opacity of the window
 * @param {PhotoWindow} window @param {Shape} shape
 */
function largeOpacity(result, opacity, { height, width }, { width: windowWidth, scale }) {
  const opaque = around(opacity, height, width, Math.min);
  const clear = around(opacity, height, width, Math.max);
  const large = new Float32Array(height * width * scale * scale);
  for (let row = 0; row < height * scale; row++) {
    for (let column = 0; column < width * scale; column++) {
      const small = Math.floor(row / scale) * width + Math.floor(column / scale);
      const from = (row * windowWidth * scale + column) * 3;
      const mean = (result[from] + result[from + 1] + result[from + 2]) / 3;
      const kept = opaque[small] === 1 ? 1 : Math.min(1, Math.max(0, mean));
      large[row * width * scale + column] = clear[small] === 0 ? 0 : kept;
    }
  }
  return large;
}

/**
 * The smallest (or largest) value within `FLAT_RADIUS` of each pixel.
 *
 * @param {Float32Array} values @param {number} height @param {number} width
 * @param {(a: number, b: number) => number} choose
 */
function around(values, height, width, choose) {
  const along = (
    /** @type {Float32Array} */ from,
    /** @type {number} */ step,
    /** @type {number} */ length,
  ) => {
    const result = from.slice();
    for (let at = 0; at < from.length; at++) {
      const place = Math.floor(at / step) % length;
      for (
        let other = Math.max(0, place - FLAT_RADIUS);
        other <= Math.min(length - 1, place + FLAT_RADIUS);
        other++
      ) {
        result[at] = choose(result[at], from[at + (other - place) * step]);
      }
    }
    return result;
  };
  return along(along(values, 1, width), width, height);
}

/**
 * @param {Float32Array} result of the network @param {Float32Array?} opacity of the whole window, enlarged
 * @param {PhotoWindow} window @param {Kept} kept @param {Shape} shape
 */
function rounded(result, opacity, { colours, alpha, width }, kept, shape) {
  const { scale } = shape;
  const bands = colours + (alpha ? 1 : 0);
  const [rows, columns] = [(kept.bottom - kept.top) * scale, (kept.right - kept.left) * scale];
  const samples = new Uint8ClampedArray(rows * columns * bands); // clamps, and rounds as NumPy
  const made = emptyRange(colours);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const y = kept.top * scale + row;
    let from = (y * shape.width + kept.left) * scale * 3;
    for (let column = 0; column < columns; column++, from += 3) {
      const visible = opacity ? opacity[y * width * scale + kept.left * scale + column] : 1;
      for (let colour = 0; colour < colours; colour++) {
        const value =
          colours === 1 ? (result[from] + result[from + 1] + result[from + 2]) / 3 : result[from + colour];
        if (!Number.isFinite(value)) throw new PhotoError(TEXTS.notANumber);
        if (value < made.low[colour]) made.low[colour] = value;
        if (value > made.high[colour]) made.high[colour] = value;
        samples[at++] = visible > 0.5 / 255 ? (value / visible) * 255 : 0;
      }
      if (alpha) samples[at++] = visible * 255;
    }
  }
  return { samples: new Uint8Array(samples.buffer), made };
}
