/** A photo's own numbers, window by window: upright, without colour conversion, not multiplied by opacity. */

import { PhotoError } from "./errors.js";
import { readPixels } from "./png_reader.js";
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
 * @param {Uint8Array} bytes of the file
 * @param {import("./photo_header.js").PhotoHeader} header
 * @returns {Promise<Pixels>}
 * @throws {PhotoError} it cannot be decoded
 */
export async function openPixels(file, bytes, header) {
  return header.alpha ? openTransparent(bytes, header) : openOpaque(file);
}

/** @param {Blob} file @returns {Promise<Pixels>} */
async function openOpaque(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch (error) {
    throw new PhotoError(TEXTS.cannotDecode, { cause: error });
  }
  const canvas = new OffscreenCanvas(1, 1);
  const brush = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true })
  );
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
 * @param {Uint8Array} bytes of a PNG
 * @param {import("./photo_header.js").PhotoHeader} header
 * @returns {Promise<Pixels>}
 */
async function openTransparent(bytes, { format, orientation }) {
  if (format !== "png") throw new PhotoError(TEXTS.transparentWebp);
  const { width, height, rgba } = await readPixels(bytes);
  const data = new Uint32Array(rgba.buffer);
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
