/** zlib's format, by the browser's own streams. */

/**
 * @param {BlobPart[]} parts one after another
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 * @throws {TypeError} they are damaged or cut off
 */
export function inflated(parts) {
  return through(parts, new DecompressionStream("deflate"));
}

/** @param {BlobPart[]} parts @returns {Promise<Uint8Array<ArrayBuffer>>} */
export function deflated(parts) {
  return through(parts, new CompressionStream("deflate"));
}

/**
 * @param {BlobPart[]} parts
 * @param {ReadableWritablePair<Uint8Array<ArrayBuffer>, BufferSource>} transform
 */
async function through(parts, transform) {
  return new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(transform)).arrayBuffer());
}
