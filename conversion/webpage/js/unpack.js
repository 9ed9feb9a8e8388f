/** What the build has packed: gzip, then base64. */

/**
 * @param {string} packed
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function unpacked(packed) {
  const { body } = await fetch(`data:application/octet-stream;base64,${packed}`);
  if (!body) throw new Error("empty");
  return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}
