/**
 * The little of EXIF that has to be understood: how the camera was held, and the places that become untrue.
 *
 * EXIF is a TIFF file of directories; everything else in it is carried along as bytes.
 */

const ORIENTATION = 0x0112;
const EXIF_DIRECTORY = 0x8769;
const PIXEL_WIDTH = 0xa002;
const PIXEL_HEIGHT = 0xa003;
const SHORT = 3;
const LONG = 4;

/**
 * @param {Uint8Array} tiff EXIF without the "Exif" mark of JPEG
 * @returns {number} 1 to 8; 1 where it says nothing or nonsense
 */
export function orientationOf(tiff) {
  const entry = entries(tiff).find(({ tag }) => tag === ORIENTATION);
  return entry && entry.value >= 1 && entry.value <= 8 ? entry.value : 1;
}

/**
 * The same EXIF for an upright picture of another size.
 *
 * @param {Uint8Array} tiff
 * @param {number} width pixels of the result
 * @param {number} height pixels of the result
 */
export function uprightExif(tiff, width, height) {
  const copy = tiff.slice();
  /** @type {Map<number, number>} */
  const values = new Map([
    [ORIENTATION, 1],
    [PIXEL_WIDTH, width],
    [PIXEL_HEIGHT, height],
  ]);
  const view = new DataView(copy.buffer);
  for (const { tag, type, at, little } of entries(copy)) {
    const value = values.get(tag);
    if (value === undefined) continue;
    if (type === SHORT && value < 65536) view.setUint16(at, value, little);
    if (type === LONG) view.setUint32(at, value, little);
  }
  return copy;
}

/**
 * The entries of the main and the EXIF directory that hold one whole number; none where the bytes are not
 * TIFF.
 *
 * @param {Uint8Array} tiff
 * @returns {{tag: number, type: number, value: number, at: number, little: boolean}[]}
 */
function entries(tiff) {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
  if (tiff.length < 8) return [];
  const little = tiff[0] === 0x49;
  if (view.getUint16(0) !== (little ? 0x4949 : 0x4d4d) || view.getUint16(2, little) !== 42) return [];
  /** @type {ReturnType<typeof entries>} */
  const found = [];
  const directories = [view.getUint32(4, little)];
  for (let place = directories.pop(); place !== undefined; place = directories.pop()) {
    if (place + 2 > tiff.length) continue;
    const count = view.getUint16(place, little);
    for (let entry = place + 2; entry < place + 2 + 12 * count && entry + 12 <= tiff.length; entry += 12) {
      const [tag, type] = [view.getUint16(entry, little), view.getUint16(entry + 2, little)];
      if (view.getUint32(entry + 4, little) !== 1 || (type !== SHORT && type !== LONG)) continue;
      const at = entry + 8;
      const value = type === SHORT ? view.getUint16(at, little) : view.getUint32(at, little);
      if (tag === EXIF_DIRECTORY && found.every((other) => other.tag !== EXIF_DIRECTORY))
        directories.push(value);
      found.push({ tag, type, value, at, little });
    }
  }
  return found;
}
