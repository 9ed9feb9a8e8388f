/**
 * A PNG with transparency, decoded exactly.
 *
 * A browser keeps what it decodes multiplied by opacity in 8 bits: colours come back up to 255 / opacity
 * levels off, also from `ImageDecoder` and with `premultiplyAlpha: "none"` (docs/page.md). Photos without
 * transparency are left to it.
 */

import { PhotoError } from "./errors.js";
import { TEXTS } from "./texts.js";
import { inflated } from "./zlib.js";

const CHANNELS = [1, 0, 3, 1, 2, 0, 4]; // by the colour type
const WHOLE = [[0, 0, 1, 1]];
/** First column and row of each pass of an interlaced PNG, and its steps. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/**
 * @param {Uint8Array} bytes of a file whose chunks are whole
 * @returns {Promise<{width: number, height: number, rgba: Uint8Array<ArrayBuffer>}>} grey as three equal
 *   colours
 * @throws {PhotoError} the picture is damaged
 */
export async function readPixels(bytes) {
  const { width, height, depth, type, interlaced, palette, clear, packed } = chunksOf(bytes);
  const channels = CHANNELS[type];
  const raw = await inflated(packed).catch((error) => {
    throw new PhotoError(TEXTS.cutOff, { cause: error });
  });
  const rgba = new Uint8Array(width * height * 4);
  const colourOf = painter(type, depth, palette, clear);
  const step = Math.max(1, (channels * depth) >> 3);
  let at = 0;
  for (const [left, top, across, down] of interlaced ? ADAM7 : WHOLE) {
    const [columns, rows] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
    if (columns <= 0 || rows <= 0) continue;
    const length = Math.ceil((columns * channels * depth) / 8);
    let above = new Uint8Array(length);
    for (let row = 0; row < rows; row++, at += length + 1) {
      if (at + length + 1 > raw.length) throw new PhotoError(TEXTS.cutOff);
      const own = raw.subarray(at + 1, at + 1 + length);
      unfilter(raw[at], own, above, step);
      const start = (top + row * down) * width + left;
      for (let column = 0; column < columns; column++)
        colourOf(own, column, rgba, 4 * (start + column * across));
      above = own;
    }
  }
  return { width, height, rgba };
}

/** @param {Uint8Array} bytes */
function chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [palette, clear] = [new Uint8Array(768), new Uint8Array(256)];
  let cleared = 0;
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const packed = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const body = bytes.slice(at + 8, at + 8 + view.getUint32(at));
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "PLTE") palette.set(body.subarray(0, palette.length));
    if (name === "tRNS") {
      cleared = Math.min(body.length, clear.length);
      clear.set(body.subarray(0, cleared));
    }
    if (name === "IDAT") packed.push(body);
  }
  const size = { width: view.getUint32(16), height: view.getUint32(20) };
  return {
    ...size,
    depth: bytes[24],
    type: bytes[25],
    interlaced: bytes[28] === 1,
    palette,
    clear: clear.subarray(0, cleared),
    packed,
  };
}

/**
 * A function that reads a row's pixel and puts it as RGBA.
 *
 * @param {number} type
 * @param {number} depth
 * @param {Uint8Array} palette
 * @param {Uint8Array} clear the chunk tRNS
 * @returns {(row: Uint8Array, column: number, rgba: Uint8Array, to: number) => void}
 */
function painter(type, depth, palette, clear) {
  const channels = CHANNELS[type];
  const white = 2 ** depth - 1;
  const key = Array.from(
    { length: clear.length >> 1 },
    (_, colour) => (clear[2 * colour] << 8) | clear[2 * colour + 1],
  );
  const sample = (/** @type {Uint8Array} */ row, /** @type {number} */ at) => {
    if (depth === 8) return row[at];
    if (depth === 16) return (row[2 * at] << 8) | row[2 * at + 1];
    return (row[(at * depth) >> 3] >> (8 - depth - ((at * depth) & 7))) & white;
  };
  const level = (/** @type {number} */ value) => Math.round((value * 255) / white);
  if (type === 3) {
    return (row, column, rgba, to) => {
      const entry = sample(row, column);
      rgba.set(palette.subarray(3 * entry, 3 * entry + 3), to);
      rgba[to + 3] = entry < clear.length ? clear[entry] : 255;
    };
  }
  const colours = channels >= 3 ? 3 : 1;
  const values = [0, 0, 0];
  return (row, column, rgba, to) => {
    for (let colour = 0; colour < 3; colour++) {
      values[colour] = sample(row, column * channels + (colours === 3 ? colour : 0));
      rgba[to + colour] = level(values[colour]);
    }
    if (channels > colours) rgba[to + 3] = level(sample(row, column * channels + colours));
    else rgba[to + 3] = key.length && key.every((value, colour) => value === values[colour]) ? 0 : 255;
  };
}

/**
 * Undoes a row's filter, in place.
 *
 * @param {number} filter
 * @param {Uint8Array} own
 * @param {Uint8Array} above
 * @param {number} step bytes to the left pixel
 */
function unfilter(filter, own, above, step) {
  if (filter > 4) throw new PhotoError(TEXTS.cutOff);
  for (let at = 0; filter && at < own.length; at++) {
    const left = at < step ? 0 : own[at - step];
    if (filter === 1) own[at] += left;
    else if (filter === 2) own[at] += above[at];
    else if (filter === 3) own[at] += (left + above[at]) >> 1;
    else own[at] += nearest(left, above[at], at < step ? 0 : above[at - step]);
  }
}

/**
 * The neighbour that is nearest to left + up - corner.
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function nearest(left, up, corner) {
  const [toLeft, toUp, toCorner] = [
    Math.abs(up - corner),
    Math.abs(left - corner),
    Math.abs(left + up - 2 * corner),
  ];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
