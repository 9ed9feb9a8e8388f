/** A photo's own numbers, window by window: upright, without colour conversion, not multiplied by opacity. */

import { PhotoError } from "./errors.js";
import { TEXTS } from "./texts.js";

/**
 * @typedef {object} Pixels
 * @property {number} width upright
 * @property {number} height upright
 * @property {(x: number, y: number, width: number, height: number) => Uint8ClampedArray} read RGBA
 * @property {() => void} close
 */

/**
 * @param {Blob} file
 * @param {import("./photo_header.js").PhotoHeader} header
 * @returns {Promise<Pixels>}
 * @throws {PhotoError} it cannot be decoded
 */
export async function openPixels(file, header) {
  return header.alpha ? openTransparent(file, header) : openOpaque(file);
}

/** @param {Blob} file @returns {Promise<Pixels>} */
async function openOpaque(file) {
  const bitmap = await decoded(() =>
    createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" }),
  );
  const canvas = new OffscreenCanvas(1, 1);
  const brush = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  return {
    width: bitmap.width,
    height: bitmap.height,
    read: (x, y, width, height) => {
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      brush.drawImage(bitmap, x, y, width, height, 0, 0, width, height);
      return brush.getImageData(0, 0, width, height).data;
    },
    close: () => bitmap.close(),
  };
}

/**
 * A canvas keeps colours multiplied by opacity, which loses them where it is low; a decoder gives them as they are.
 *
 * @param {Blob} file
 * @param {import("./photo_header.js").PhotoHeader} header
 * @returns {Promise<Pixels>}
 */
async function openTransparent(file, { format, orientation }) {
  const Decoder = /** @type {any} */ (globalThis).ImageDecoder;
  if (!Decoder) throw new PhotoError(TEXTS.noAlphaReading);
  const { data, width, height } = await decoded(async () => {
    const settings = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    const decoder = new Decoder({ data: await file.arrayBuffer(), type: `image/${format}`, ...settings });
    const { image } = await decoder.decode();
    const size = { width: image.codedWidth, height: image.codedHeight };
    const bytes = new Uint8Array(size.width * size.height * 4);
    await image.copyTo(bytes, { format: "RGBA" });
    image.close();
    decoder.close();
    return { data: new Uint32Array(bytes.buffer), ...size };
  });
  const swapped = orientation >= 5;
  return {
    width: swapped ? height : width,
    height: swapped ? width : height,
    read: (x, y, wide, high) => {
      const window = new Uint32Array(wide * high);
      for (let row = 0, at = 0; row < high; row++) {
        for (let column = 0; column < wide; column++) {
          window[at++] = data[stored(x + column, y + row, width, height, orientation)];
        }
      }
      return new Uint8ClampedArray(window.buffer);
    },
    close: () => {},
  };
}

/**
 * Where a pixel of the upright picture lies in the stored one.
 *
 * @param {number} x @param {number} y @param {number} width stored @param {number} height stored
 * @param {number} orientation of EXIF
 */
export function stored(x, y, width, height, orientation) {
  const [column, row] = orientation >= 5 ? [y, x] : [x, y];
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBottom = [3, 4, 6, 7].includes(orientation);
  // 6 and 8 turn by a quarter: what is stored from the bottom up (or right to left) is read left to right.
  return (fromBottom ? height - 1 - row : row) * width + (fromRight ? width - 1 - column : column);
}

/**
 * @template T
 * @param {() => Promise<T>} decode
 */
async function decoded(decode) {
  try {
    return await decode();
  } catch (error) {
    throw new PhotoError(TEXTS.cannotDecode, { cause: error });
  }
}
