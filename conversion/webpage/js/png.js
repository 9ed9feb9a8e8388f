/**
 * A PNG that is fed rows: the filter Up, the browser's own deflate, checksums. It needs memory for one slice
 * only.
 */

import { deflated } from "./zlib.js";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const COLOUR_TYPES = { 1: 0, 2: 4, 3: 2, 4: 6 };
const FILTER_UP = 2;
const SLICE_BYTES = 1 << 20;
const PARTS_A_BLOB = 64; // a browser may keep blobs on disk, but not arrays

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @typedef {{exif: Uint8Array | null, icc: Uint8Array | null}} Metadata EXIF as TIFF bytes; ICC profile */

/** Writes a PNG of 8 bits and 1 to 4 channels as its rows arrive, from top to bottom. */
export class PngStream {
  type = "image/png";

  /**
   * @param {number} width pixels
   * @param {number} height pixels
   * @param {1 | 2 | 3 | 4} bands grey, grey and opacity, RGB, RGB and opacity
   * @param {Metadata} metadata
   */
  constructor(width, height, bands, metadata) {
    const head = new Uint8Array(13);
    new DataView(head.buffer).setUint32(0, width);
    new DataView(head.buffer).setUint32(4, height);
    head.set([8, COLOUR_TYPES[bands], 0, 0, 0], 8);
    /** @type {BlobPart[]} */
    this.parts = [SIGNATURE, chunk("IHDR", head)];
    /** @type {Blob[]} */
    this.blobs = [];
    /** @type {Uint8Array} */
    this.above = new Uint8Array(width * bands);
    const { readable, writable } = new CompressionStream("deflate");
    this.deflate = writable.getWriter();
    this.drained = this.start(metadata, readable);
    this.drained.catch(() => {}); // it is awaited in `close`
  }

  /**
   * @param {Metadata} metadata
   * @param {ReadableStream<Uint8Array>} packed
   */
  async start({ exif, icc }, packed) {
    if (icc) this.parts.push(chunk("iCCP", await profileBody(icc)));
    if (exif) this.parts.push(chunk("eXIf", exif));
    const reader = packed.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      this.parts.push(chunk("IDAT", next.value));
      if (this.parts.length >= PARTS_A_BLOB) this.blobs.push(new Blob(this.parts.splice(0)));
    }
  }

  /** @param {Uint8Array} rows whole rows, samples one after another */
  async write(rows) {
    const length = this.above.length;
    const step = Math.max(1, Math.floor(SLICE_BYTES / length)) * length;
    for (let start = 0; start < rows.length; start += step) {
      await this.deflate.ready;
      await this.deflate.write(this.filtered(rows.subarray(start, start + step)));
    }
  }

  /** @param {Uint8Array} rows @returns {Uint8Array<ArrayBuffer>} */
  filtered(rows) {
    const length = this.above.length;
    const count = rows.length / length;
    const result = new Uint8Array(rows.length + count);
    let above = this.above;
    for (let row = 0; row < count; row++) {
      const own = rows.subarray(row * length, (row + 1) * length);
      let at = row * (length + 1);
      result[at++] = FILTER_UP;
      for (let sample = 0; sample < length; sample++) result[at++] = own[sample] - above[sample];
      above = own;
    }
    this.above = above.slice();
    return result;
  }

  /** @returns {Promise<Blob>} the finished file */
  async close() {
    await this.deflate.close();
    await this.drained;
    this.parts.push(chunk("IEND", new Uint8Array()));
    return new Blob([...this.blobs, ...this.parts], { type: this.type });
  }

  /** Gives up. */
  async abort() {
    await this.deflate.abort().catch(() => {});
    await this.drained.catch(() => {});
    this.blobs = [];
    this.parts = [];
  }
}

/**
 * @param {string} name four letters
 * @param {Uint8Array} body
 */
function chunk(name, body) {
  const result = new Uint8Array(12 + body.length);
  const view = new DataView(result.buffer);
  view.setUint32(0, body.length);
  for (let letter = 0; letter < 4; letter++) result[4 + letter] = name.charCodeAt(letter);
  result.set(body, 8);
  let crc = 0xffffffff;
  for (let at = 4; at < 8 + body.length; at++) crc = CRC_TABLE[(crc ^ result[at]) & 255] ^ (crc >>> 8);
  view.setUint32(8 + body.length, ~crc);
  return result;
}

/** @param {Uint8Array} icc */
async function profileBody(icc) {
  const packed = await deflated([icc.slice()]);
  const name = "icc";
  const body = new Uint8Array(name.length + 2 + packed.length); // a zero ends the name, one means deflate
  for (let letter = 0; letter < name.length; letter++) body[letter] = name.charCodeAt(letter);
  body.set(packed, name.length + 2);
  return body;
}
