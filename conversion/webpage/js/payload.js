/** What the build has put into the page as text: models, programs of workers, LiteRT's WebAssembly. */

/**
 * @typedef {object} Model
 * @property {string} id of the element that holds the file
 * @property {string} label
 * @property {import("./channels.js").Shape} shape
 * @property {number} halo pixels of the photo
 * @property {number} memory bytes that one engine needs
 */

/** @returns {Model[]} in the order in which they were given */
export function models() {
  return JSON.parse(element("models").textContent ?? "");
}

/**
 * @param {string} id of the element
 * @returns {Promise<Uint8Array<ArrayBuffer>>} its bytes, unpacked
 */
export async function unpacked(id) {
  const { body } = await fetch(`data:application/octet-stream;base64,${element(id).textContent}`);
  if (!body) throw new Error(`${id} is empty`);
  return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

/**
 * @param {string} id of the element that holds the worker's program
 * @returns {Promise<string>} its address
 */
export async function programOf(id) {
  return URL.createObjectURL(new Blob([await unpacked(id)], { type: "text/javascript" }));
}

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}
