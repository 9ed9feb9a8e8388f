/**
 * From a photo to a larger one: reads it, sends its windows to the engines, writes their results row by row.
 *
 * Everything runs here and in the engines' workers, so that the page itself never waits.
 */

import { Caller } from "./calls.js";
import { emptyRange, refuseEmptyResult, widen } from "./channels.js";
import { EngineError, PhotoError, Stopped } from "./errors.js";
import { uprightExif } from "./exif.js";
import { JPEG_LARGEST_SIDE, JpegStream } from "./jpeg.js";
import { readHeader } from "./photo_header.js";
import { openPixels } from "./pixels.js";
import { PngStream } from "./png.js";
import { Pool } from "./pool.js";
import { smallBitmap } from "./preview.js";
import { TEXTS } from "./texts.js";
import { spans } from "./tiles.js";

/**
 * @typedef {object} Order What the page asks for; one at a time.
 * @property {number} id
 * @property {Blob} file
 * @property {"png" | "jpeg"} format
 * @property {MessagePort[]} ports one an engine
 * @property {import("./channels.js").Shape} shape of the engines
 * @property {number} halo pixels of the photo
 *
 * @typedef {object} Opened
 * @property {number} width of the result
 * @property {number} height of the result
 * @property {number} tiles
 * @property {string} note "" or what is lost
 * @property {boolean} alpha whether it is transparent in places
 * @property {ImageBitmap} before the photo, small enough to be looked at as a whole
 *
 * @typedef {object} Tile A finished part of the result, in its pixels.
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {Blob} view to look at
 *
 * @typedef {{id: number} & ({kind: "opened", opened: Opened} | {kind: "tile", tile: Tile} |
 *   {kind: "done", blob: Blob} | {kind: "failed", message: string, engine: boolean} |
 *   {kind: "stopped"})} News
 */

/** @type {{id: number, pool: Pool<Caller>} | null} */
let current = null;

self.onmessage = async ({ data }) => {
  if (data.kind === "stop") {
    if (current?.id === data.id) current?.pool.stop();
    return;
  }
  const order = /** @type {Order} */ (data);
  const pool = new Pool(order.ports.map((port) => new Caller(port)));
  current = { id: order.id, pool };
  try {
    tell({ id: order.id, kind: "done", blob: await upscale(order, pool) });
  } catch (error) {
    if (error instanceof Stopped) tell({ id: order.id, kind: "stopped" });
    else {
      const engine = error instanceof EngineError;
      tell({ id: order.id, kind: "failed", message: reasonOf(error), engine });
    }
  } finally {
    for (const port of order.ports) port.close();
  }
};

/** @param {News} news @param {Transferable[]} transfer */
function tell(news, transfer = []) {
  self.postMessage(news, { transfer });
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof PhotoError ? error.message : TEXTS.defect(String(error));
}

/** @param {Order} order @param {Pool<Caller>} pool */
async function upscale(order, pool) {
  const { file, format, shape } = order;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const header = await readHeader(bytes);
  if (header.alpha && format === "jpeg") throw new PhotoError(TEXTS.jpegAlpha);
  const pixels = await openPixels(file, bytes, header);
  try {
    const [width, height] = [pixels.width * shape.scale, pixels.height * shape.scale];
    if (format === "jpeg" && Math.max(width, height) > JPEG_LARGEST_SIDE)
      throw new PhotoError(TEXTS.jpegTooLarge);
    const metadata = { exif: header.exif && uprightExif(header.exif, width, height), icc: header.icc };
    const bands = /** @type {1 | 2 | 3 | 4} */ (header.colours + (header.alpha ? 1 : 0));
    const writer =
      format === "jpeg"
        ? new JpegStream(width, height, header.colours, metadata)
        : new PngStream(width, height, bands, metadata);
    try {
      await stream(order, pixels, header, pool, writer);
      return await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } finally {
    pixels.close();
  }
}

/**
 * Two rows of tiles are in memory at most: one that is worked on, one that is written.
 *
 * @param {Order} order
 * @param {import("./pixels.js").Pixels} pixels
 * @param {import("./photo_header.js").PhotoHeader} header
 * @param {Pool<Caller>} pool
 * @param {PngStream | JpegStream} writer
 */
async function stream({ id, file, shape, halo }, pixels, header, pool, writer) {
  const { colours, alpha, depth } = header;
  const [bands, scale] = [colours + (alpha ? 1 : 0), shape.scale];
  const rows = spans(pixels.height, shape.height, halo);
  const columns = spans(pixels.width, shape.width, halo);
  const size = { width: pixels.width * scale, height: pixels.height * scale };
  const note = depth > 8 ? TEXTS.sixteenBits : "";
  const before = await smallBitmap(file, size);
  const opened = { ...size, tiles: rows.length * columns.length, note, alpha, before };
  tell({ id, kind: "opened", opened }, [before]);
  const [seen, made] = [emptyRange(colours), emptyRange(colours)];
  /** @type {Promise<unknown>[]} */
  let working = [];
  let writing = Promise.resolve();
  try {
    for (const row of rows) {
      const out = new Uint8Array(size.width * (row.last - row.first) * scale * bands);
      working = [];
      for (const column of columns) {
        const engine = await pool.take();
        const samples = samplesOf(
          pixels.read(column.start, row.start, column.size, row.size),
          colours,
          alpha,
        );
        const window = { samples, height: row.size, width: column.size, colours, alpha };
        working.push(
          upscaled(engine, window, row, column)
            .then((result) => {
              widen(seen, result.seen);
              widen(made, result.made);
              place(
                result.samples,
                out,
                column.first * scale * bands,
                size.width * bands,
                (row.last - row.first) * scale,
              );
              const [x, y] = [column.first * scale, row.first * scale];
              const [width, height] = [(column.last - column.first) * scale, (row.last - row.first) * scale];
              tell({ id, kind: "tile", tile: { x, y, width, height, view: result.view } });
            })
            .finally(() => pool.give(engine)),
        );
        working.at(-1)?.catch(() => pool.stop()); // the first failure ends the waiting for engines
      }
      await writing;
      const done = Promise.all(working);
      writing = done.then(() => writer.write(out));
      writing.catch(() => {}); // it is awaited above, or below
    }
    await writing;
  } catch (error) {
    await Promise.allSettled([...working, writing]);
    // A tile's failure stops the others: it is what is to be told.
    if (error instanceof Stopped) await Promise.all([...working, writing]);
    throw error;
  }
  refuseEmptyResult(seen, made);
}

/**
 * @param {Caller} engine
 * @param {import("./channels.js").PhotoWindow} window
 * @param {import("./tiles.js").Span} row
 * @param {import("./tiles.js").Span} column
 */
async function upscaled(engine, window, row, column) {
  const kept = {
    top: row.first - row.start,
    bottom: row.last - row.start,
    left: column.first - column.start,
    right: column.last - column.start,
  };
  try {
    return await engine.ask("upscale", { window, kept }, [window.samples.buffer]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw reason === TEXTS.notANumber ? new PhotoError(reason) : new EngineError(TEXTS.engine(reason));
  }
}

/** @param {Uint8ClampedArray} rgba @param {1 | 3} colours @param {boolean} alpha */
function samplesOf(rgba, colours, alpha) {
  const bands = colours + (alpha ? 1 : 0);
  const samples = new Uint8Array((rgba.length / 4) * bands);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    for (let colour = 0; colour < colours; colour++) samples[to++] = rgba[from + colour];
    if (alpha) samples[to++] = rgba[from + 3];
  }
  return samples;
}

/**
 * Puts a tile's rows into a row of tiles.
 *
 * @param {Uint8Array} tile @param {Uint8Array} out
 * @param {number} left bytes @param {number} length of a row of `out`, bytes @param {number} rows
 */
function place(tile, out, left, length, rows) {
  const wide = tile.length / rows;
  for (let row = 0; row < rows; row++)
    out.set(tile.subarray(row * wide, (row + 1) * wide), row * length + left);
}
