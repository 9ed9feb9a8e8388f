/** Pictures that are small enough to be looked at as a whole. */

const FIT_SIDE = 2048;

/**
 * As the file's numbers are, like the result beside it: what the profile says is left to whoever opens the
 * saved file.
 */
export const AS_STORED = /** @type {const} */ ({
  colorSpaceConversion: "none",
  imageOrientation: "from-image",
});

/**
 * @param {{width: number, height: number}} size of the result
 * @returns {{width: number, height: number, shrunk: number}} of what is shown of it, and how much smaller it
 *   is
 */
export function fitted({ width, height }) {
  const shrunk = Math.min(1, FIT_SIDE / Math.max(width, height));
  return {
    width: Math.max(1, Math.round(width * shrunk)),
    height: Math.max(1, Math.round(height * shrunk)),
    shrunk,
  };
}

/** @param {Blob} file @param {{width: number, height: number}} size of the result */
export async function smallBitmap(file, size) {
  const { width, height } = fitted(size);
  return createImageBitmap(file, {
    ...AS_STORED,
    resizeWidth: width,
    resizeHeight: height,
    resizeQuality: "high",
  });
}
