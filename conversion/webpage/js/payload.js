/** What the build has put into the page as text: models, programs of workers, LiteRT's WebAssembly. */

import { unpacked } from "./unpack.js";

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

/** @param {string} id of the element @returns {string} what it holds, packed */
export function packed(id) {
  return element(id).textContent ?? "";
}

/**
 * @param {string} id of the element that holds the worker's program
 * @returns {Promise<string>} its address
 */
export async function programOf(id) {
  return URL.createObjectURL(new Blob([await unpacked(packed(id))], { type: "text/javascript" }));
}

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}
