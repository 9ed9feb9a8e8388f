/**
 * What a photo's file says before a pixel is decoded: kind, size, profile, EXIF; and whether it is whole.
 *
 * A browser decodes a cut-off JPEG to a half grey picture without a word, so the end is looked for here.
 */

import { PhotoError } from "./errors.js";
import { orientationOf } from "./exif.js";
import { TEXTS } from "./texts.js";
import { inflated } from "./zlib.js";

/**
 * @typedef {object} PhotoHeader
 * @property {"png" | "jpeg" | "webp"} format
 * @property {number} width as stored, before it is turned upright
 * @property {number} height as stored
 * @property {1 | 3} colours grey or RGB
 * @property {boolean} alpha
 * @property {number} depth bits a sample
 * @property {number} orientation of EXIF, 1 to 8
 * @property {Uint8Array | null} exif TIFF bytes
 * @property {Uint8Array | null} icc profile
 */

const MAX_PIXELS = 200e6;
const MAX_SIDE = 65535;

/**
 * @param {Uint8Array} bytes the whole file
 * @returns {Promise<PhotoHeader>}
 * @throws {PhotoError} no photo, cut off, of a kind that has no single right reading, or too large
 */
export async function readHeader(bytes) {
  let header;
  try {
    if (text(bytes, 1, 3) === "PNG") header = await readPng(bytes);
    else if (bytes[0] === 0xff && bytes[1] === 0xd8) header = readJpeg(bytes);
    else if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") header = readWebp(bytes);
    else throw new PhotoError(TEXTS.notAPhoto);
  } catch (error) {
    if (error instanceof PhotoError) throw error;
    throw new PhotoError(TEXTS.cutOff, { cause: error }); // a length that points beyond the file's end
  }
  const { width, height } = header;
  if (width < 1 || height < 1) throw new PhotoError(TEXTS.cutOff);
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE) {
    throw new PhotoError(TEXTS.tooLarge(width, height));
  }
  return { ...header, orientation: header.exif ? orientationOf(header.exif) : 1 };
}

/** @param {Uint8Array} bytes */
async function readPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [width, height, depth, type] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25]];
  let [alpha, exif, icc] = [
    type === 4 || type === 6,
    /** @type {Uint8Array?} */ (null),
    /** @type {Uint8Array?} */ (null),
  ];
  let name = "";
  for (let at = 8; name !== "IEND";) {
    const length = view.getUint32(at);
    name = text(bytes, at + 4, 4);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length || at + 12 + length > bytes.length) throw new PhotoError(TEXTS.cutOff);
    if (name === "acTL") throw new PhotoError(TEXTS.animated);
    if (name === "tRNS") alpha = true;
    if (name === "eXIf") exif = body.slice();
    if (name === "iCCP") icc = await inflated([body.slice(body.indexOf(0) + 2)]);
    at += 12 + length;
  }
  const colours = /** @type {1 | 3} */ (type === 0 || type === 4 ? 1 : 3);
  return {
    format: /** @type {const} */ ("png"),
    width,
    height,
    colours,
    alpha,
    depth,
    exif,
    icc,
    orientation: 1,
  };
}

/** @param {Uint8Array} bytes */
function readJpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [width, height, components, exif] = [0, 0, 0, /** @type {Uint8Array?} */ (null)];
  /** @type {Uint8Array[]} */
  const profile = [];
  let at = 2;
  for (let marker = 0; marker !== 0xda;) {
    if (bytes[at] !== 0xff) throw new PhotoError(TEXTS.cutOff);
    marker = view.getUint8(at + 1);
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2; // a fill byte; markers that stand alone
      continue;
    }
    const length = view.getUint16(at + 2);
    const body = bytes.subarray(at + 4, at + 2 + length);
    if (body.length < length - 2) throw new PhotoError(TEXTS.cutOff);
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame)
      [height, width, components] = [view.getUint16(at + 5), view.getUint16(at + 7), view.getUint8(at + 9)];
    if (marker === 0xe1 && text(body, 0, 6) === "Exif\0\0") exif ??= body.slice(6);
    if (marker === 0xe2 && text(body, 0, 12) === "ICC_PROFILE\0") profile[body[12] - 1] = body.subarray(14);
    at += 2 + length;
  }
  if (components === 4) throw new PhotoError(TEXTS.cmyk);
  if (!endsIn(bytes, at)) throw new PhotoError(TEXTS.cutOff);
  const icc = profile.length ? joined(profile) : null;
  const colours = /** @type {1 | 3} */ (components === 1 ? 1 : 3);
  return {
    format: /** @type {const} */ ("jpeg"),
    width,
    height,
    colours,
    alpha: false,
    depth: 8,
    exif,
    icc,
    orientation: 1,
  };
}

/** @param {Uint8Array} bytes */
function readWebp(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) throw new PhotoError(TEXTS.cutOff);
  let [width, height, alpha] = [0, 0, false];
  let [exif, icc] = [/** @type {Uint8Array?} */ (null), /** @type {Uint8Array?} */ (null)];
  for (let at = 12; at + 8 <= end;) {
    const [name, length] = [text(bytes, at, 4), view.getUint32(at + 4, true)];
    const body = at + 8;
    if (body + length > bytes.length) throw new PhotoError(TEXTS.cutOff);
    if (name === "ANIM") throw new PhotoError(TEXTS.animated);
    if (name === "VP8X") {
      alpha = (bytes[body] & 16) !== 0;
      [width, height] = [
        1 + (view.getUint32(body + 3, true) >>> 8),
        1 + (view.getUint32(body + 6, true) >>> 8),
      ];
    } else if (name === "VP8L" && !width) {
      const bits = view.getUint32(body + 1, true);
      [width, height, alpha] = [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff), (bits & (1 << 28)) !== 0];
    } else if (name === "VP8 " && !width) {
      [width, height] = [view.getUint16(body + 6, true) & 0x3fff, view.getUint16(body + 8, true) & 0x3fff];
    } else if (name === "EXIF") {
      exif = bytes.slice(text(bytes, body, 6) === "Exif\0\0" ? body + 6 : body, body + length);
    } else if (name === "ICCP") {
      icc = bytes.slice(body, body + length);
    }
    at = body + length + (length % 2);
  }
  const format = /** @type {const} */ ("webp");
  return {
    format,
    width,
    height,
    colours: /** @type {1 | 3} */ (3),
    alpha,
    depth: 8,
    exif,
    icc,
    orientation: 1,
  };
}

/**
 * Whether the end mark of JPEG comes after a place; files may have anything behind it.
 *
 * @param {Uint8Array} bytes
 * @param {number} from
 */
function endsIn(bytes, from) {
  for (let at = bytes.lastIndexOf(0xd9); at > from; at = bytes.lastIndexOf(0xd9, at - 1)) {
    if (bytes[at - 1] === 0xff) return true;
  }
  return false;
}

/** @param {Uint8Array} bytes @param {number} start @param {number} length */
function text(bytes, start, length) {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = parts.filter(Boolean);
  const result = new Uint8Array(whole.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of whole) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
