/**
 * A JPEG that is fed rows: baseline, full colour resolution, the standard's own tables.
 *
 * The browser's encoder takes a whole canvas, and a canvas beyond the browser's limits silently stays empty.
 */

import { CODES, DIVISORS, ZIGZAG } from "./jpeg_tables.js";

const SIDE = 8;
const STRIPS_A_BLOB = 64;
const LONGEST_SEGMENT = 65533;
const LARGEST_BLOCK_BYTES = 64 * 8; // a code and its value: at most 4 bytes, doubled by stuffing

export const JPEG_QUALITY = 92; // as `mobile-sr upscale`
export const JPEG_LARGEST_SIDE = 65500;

/** Row k, column n: what sample n gives to frequency k. */
const COSINES = Float32Array.from({ length: 64 }, (_, at) => {
  const [k, n] = [at >> 3, at & 7];
  return (k ? 0.5 : Math.SQRT1_2 / 2) * Math.cos(((2 * n + 1) * k * Math.PI) / 16);
});

/** Writes a JPEG of 1 or 3 channels as its rows arrive, from top to bottom. */
export class JpegStream {
  type = "image/jpeg";

  /**
   * @param {number} width pixels, at most `JPEG_LARGEST_SIDE`
   * @param {number} height pixels
   * @param {1 | 3} bands
   * @param {import("./png.js").Metadata} metadata
   */
  constructor(width, height, bands, { exif, icc }) {
    this.width = width;
    this.bands = bands;
    this.waiting = new Uint8Array(0); // rows of a strip that is not complete
    this.tables = CODES.map((pair) => pair.map(codeTable));
    this.divisors = DIVISORS.map(atQuality);
    this.before = [0, 0, 0]; // brightness and colours of the last block
    this.bits = { value: 0, count: 0 };
    this.samples = new Float32Array(64);
    this.turned = new Float32Array(64);
    /** @type {BlobPart[]} */
    this.parts = head(width, height, bands, exif, icc, this.divisors);
    /** @type {Blob[]} */
    this.blobs = [];
  }

  /** @param {Uint8Array} rows whole rows, samples one after another */
  async write(rows) {
    const strip = this.width * this.bands * SIDE;
    const all = new Uint8Array(this.waiting.length + rows.length);
    all.set(this.waiting);
    all.set(rows, this.waiting.length);
    const whole = all.length - (all.length % strip);
    for (let start = 0; start < whole; start += strip) this.encodeStrip(all.subarray(start, start + strip));
    this.waiting = all.slice(whole);
  }

  /** @returns {Promise<Blob>} the finished file */
  async close() {
    if (this.waiting.length) this.encodeStrip(this.waiting);
    const rest = new Bytes(16, this.bits);
    rest.put(0x7f, 7);
    this.parts.push(rest.taken(), Uint8Array.of(0xff, 0xd9));
    return new Blob([...this.blobs, ...this.parts], { type: this.type });
  }

  /** Gives up. */
  async abort() {
    this.blobs = [];
    this.parts = [];
  }

  /** @param {Uint8Array} rows at most 8; what is missing at the right and below repeats the last pixels */
  encodeStrip(rows) {
    const blocks = Math.ceil(this.width / SIDE);
    const out = new Bytes(blocks * this.bands * LARGEST_BLOCK_BYTES, this.bits);
    for (let block = 0; block < blocks; block++) {
      for (let band = 0; band < this.bands; band++) {
        this.pick(rows, block * SIDE, band);
        this.encodeBlock(out, band);
      }
    }
    this.parts.push(out.taken());
    if (this.parts.length >= STRIPS_A_BLOB) this.blobs.push(new Blob(this.parts.splice(0)));
  }

  /**
   * One block's brightness, or one of its two colour differences, around 0.
   *
   * @param {Uint8Array} rows @param {number} left @param {number} band
   */
  pick(rows, left, band) {
    const height = rows.length / (this.width * this.bands);
    for (let row = 0, to = 0; row < SIDE; row++) {
      const start = Math.min(row, height - 1) * this.width;
      for (let column = left; column < left + SIDE; column++, to++) {
        const at = (start + Math.min(column, this.width - 1)) * this.bands;
        if (this.bands === 1) this.samples[to] = rows[at] - 128;
        else {
          const [red, green, blue] = [rows[at], rows[at + 1], rows[at + 2]];
          if (band === 0) this.samples[to] = 0.299 * red + 0.587 * green + 0.114 * blue - 128;
          else if (band === 1) this.samples[to] = -0.168736 * red - 0.331264 * green + 0.5 * blue;
          else this.samples[to] = 0.5 * red - 0.418688 * green - 0.081312 * blue;
        }
      }
    }
  }

  /** @param {Bytes} out @param {number} band */
  encodeBlock(out, band) {
    const kind = band ? 1 : 0;
    const [first, others] = this.tables[kind];
    transform(this.samples, this.turned);
    transform(this.turned, this.samples);
    let zeros = 0;
    for (let k = 0; k < 64; k++) {
      const level = Math.round(this.samples[ZIGZAG[k]] / this.divisors[kind][k]);
      if (k === 0) {
        put(out, first, 0, level - this.before[band]);
        this.before[band] = level;
      } else if (level === 0) zeros++;
      else {
        for (; zeros > 15; zeros -= 16) out.put(others.code[0xf0], others.length[0xf0]);
        put(out, others, zeros, level);
        zeros = 0;
      }
    }
    if (zeros) out.put(others.code[0], others.length[0]); // nothing more in this block
  }
}

/** Bits, as bytes; after a byte of ones comes a zero, so that no mark is seen where none is. */
class Bytes {
  /**
   * @param {number} size
   * @param {{value: number, count: number}} bits those that are not a byte yet; kept on
   */
  constructor(size, bits) {
    this.bytes = new Uint8Array(size);
    this.length = 0;
    this.bits = bits;
  }

  /** @param {number} code @param {number} length at most 16 */
  put(code, length) {
    const bits = this.bits;
    bits.value = (bits.value << length) | code;
    for (bits.count += length; bits.count >= 8; bits.count -= 8) {
      const byte = (bits.value >>> (bits.count - 8)) & 255;
      this.bytes[this.length++] = byte;
      if (byte === 255) this.bytes[this.length++] = 0;
    }
    bits.value &= (1 << bits.count) - 1;
  }

  taken() {
    return this.bytes.slice(0, this.length);
  }
}

/**
 * The cosine transform of each column, turned on its side: applied twice, it is that of the block.
 *
 * @param {Float32Array} from @param {Float32Array} to
 */
function transform(from, to) {
  for (let column = 0; column < 8; column++) {
    for (let k = 0; k < 8; k++) {
      let sum = 0;
      for (let n = 0; n < 8; n++) sum += COSINES[k * 8 + n] * from[n * 8 + column];
      to[column * 8 + k] = sum;
    }
  }
}

/**
 * @param {Bytes} out @param {{code: Uint16Array, length: Uint8Array}} table
 * @param {number} zeros before it @param {number} value
 */
function put(out, table, zeros, value) {
  const size = 32 - Math.clz32(Math.abs(value));
  const symbol = (zeros << 4) | size;
  out.put(table.code[symbol], table.length[symbol]);
  if (size) out.put(value < 0 ? value + (1 << size) - 1 : value, size);
}

/** @param {Uint8Array} table as in the file */
function codeTable(table) {
  const [code, length] = [new Uint16Array(256), new Uint8Array(256)];
  for (let bits = 1, next = 0, at = 16; bits <= 16; bits++, next <<= 1) {
    for (let count = table[bits - 1]; count > 0; count--, next++) {
      code[table[at]] = next;
      length[table[at++]] = bits;
    }
  }
  return { code, length };
}

/** @param {Uint8Array} divisors at quality 50 */
function atQuality(divisors) {
  const percent = 200 - 2 * JPEG_QUALITY; // as libjpeg scales them, from quality 50 on
  return divisors.map((divisor) => Math.min(255, Math.max(1, Math.floor((divisor * percent + 50) / 100))));
}

/**
 * @param {number} width @param {number} height @param {number} bands
 * @param {Uint8Array?} exif @param {Uint8Array?} icc @param {Uint8Array[]} divisors
 * @returns {Uint8Array<ArrayBuffer>[]}
 */
function head(width, height, bands, exif, icc, divisors) {
  const components = Array.from({ length: bands }, (_, band) => [band + 1, 0x11, band ? 1 : 0]);
  const size = [8, height >> 8, height & 255, width >> 8, width & 255, bands];
  const parts = [Uint8Array.of(0xff, 0xd8), segment(0xe0, [...letters("JFIF\0"), 1, 1, 0, 0, 1, 0, 1, 0, 0])];
  if (exif && exif.length <= LONGEST_SEGMENT - 6)
    parts.push(segment(0xe1, [...letters("Exif\0\0"), ...exif]));
  const mark = letters("ICC_PROFILE\0");
  const each = LONGEST_SEGMENT - mark.length - 2;
  const pieces = Math.ceil((icc?.length ?? 0) / each);
  for (let piece = 0; icc && piece < pieces; piece++) {
    parts.push(
      segment(0xe2, [...mark, piece + 1, pieces, ...icc.subarray(piece * each, (piece + 1) * each)]),
    );
  }
  const kinds = bands === 1 ? [0] : [0, 1];
  for (const kind of kinds) parts.push(segment(0xdb, [kind, ...divisors[kind]]));
  parts.push(segment(0xc0, [...size, ...components.flat()]));
  for (const kind of kinds) {
    CODES[kind].forEach((table, frequency) => parts.push(segment(0xc4, [(frequency << 4) | kind, ...table])));
  }
  const scan = components.flatMap(([id, , kind]) => [id, kind ? 0x11 : 0]);
  parts.push(segment(0xda, [bands, ...scan, 0, 63, 0]));
  return parts;
}

/** @param {number} marker @param {ArrayLike<number>} body */
function segment(marker, body) {
  const result = new Uint8Array(body.length + 4);
  result.set([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255]);
  result.set(body, 4);
  return result;
}

/** @param {string} text */
function letters(text) {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}
