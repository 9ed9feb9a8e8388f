/** A tile on which two engines have to agree before the faster one is believed. */

const TOLERANCE = 1 / 255;

/**
 * Noise, a gradient, stripes and flat black and white: whatever a wrong kernel hides from, another quarter
 * shows.
 *
 * @param {number} height @param {number} width
 * @returns {Float32Array} (height, width, 3) in [0, 1], the same everywhere
 */
export function goldenTile(height, width) {
  const tile = new Float32Array(height * width * 3);
  let noise = 1;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let colour = 0; colour < 3; colour++, at++) {
        noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
        const [below, right] = [2 * row >= height, 2 * column >= width];
        if (!below && !right) tile[at] = noise / 2 ** 32;
        else if (!below) tile[at] = (row + column * (colour + 1)) / (height + width * (colour + 1));
        else if (!right) tile[at] = (Math.floor(row / 3) + Math.floor(column / (2 + colour))) % 2;
        else tile[at] = 4 * row > 3 * height ? 1 : 0;
      }
    }
  }
  return tile;
}

/**
 * @param {Float32Array} trusted @param {Float32Array} other
 * @returns {{agree: boolean, levels: number}} the largest difference, in levels of 255
 */
export function compare(trusted, other) {
  let largest = trusted.length === other.length ? 0 : Infinity;
  for (let at = 0; at < trusted.length; at++) {
    const difference = Math.abs(clamped(trusted[at]) - clamped(other[at]));
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
  }
  return { agree: largest <= TOLERANCE, levels: largest * 255 };
}

/** @param {number} value */
function clamped(value) {
  return Math.min(1, Math.max(0, value));
}
