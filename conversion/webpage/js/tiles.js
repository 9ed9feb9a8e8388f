/**
 * The tile plan: which windows of a photo the network sees, and which part of each result is kept.
 *
 * The same numbers as `plan_fixed_tiles` of conversion/upscaling/tiles.py: at the photo's border a window is
 * shifted inward, so that the network meets the same border as on the whole photo. All are pixels of the
 * photo.
 *
 * @typedef {{start: number, size: number, first: number, last: number}} Span One window along one axis: its
 *   first pixel and its length, the first pixel whose result is kept and one past the last.
 */

/**
 * The windows along one axis; an axis shorter than the window is one span of its own length.
 *
 * @param {number} length pixels of the photo
 * @param {number} window pixels of the network's input
 * @param {number} halo pixels around the kept ones that the network sees too; twice as many are fewer than
 *   the window
 * @returns {Span[]} whose kept pixels cover the axis exactly once
 */
export function spans(length, window, halo) {
  if (length <= window) return [{ start: 0, size: length, first: 0, last: length }];
  const core = window - 2 * halo;
  const count = Math.ceil((length - 2 * halo) / core);
  const starts = Array.from({ length: count }, (_, index) => Math.min(index * core, length - window));
  const edges = [0, ...starts.slice(1).map((start) => start + halo), length];
  return starts.map((start, index) => ({ start, size: window, first: edges[index], last: edges[index + 1] }));
}

/**
 * Where to look for pixel `index` of an axis that has only `length`: mirrored at its ends, the end pixel
 * once.
 *
 * @param {number} index 0 or more
 * @param {number} length 1 or more
 */
export function mirrored(index, length) {
  if (length === 1) return 0;
  const within = index % (2 * length - 2);
  return within < length ? within : 2 * length - 2 - within;
}
