/** Every English text that the page's scripts show; those of the markup are in page.html.j2. */

/** @param {number} value */
const oneDecimal = (value) => value.toFixed(1);

export const TEXTS = {
  waiting: "waiting",
  reading: "reading the photo",
  starting: "starting the network",
  stopping: "stopping",
  stopped: "stopped",
  /** @param {number} done @param {number} total @param {string} left */
  tiles: (done, total, left) => `tile ${done} of ${total}${left ? `, ${left}` : ""}`,
  /** @param {number} seconds */
  left: (seconds) => {
    if (seconds < 1.5) return "1 second left";
    if (seconds < 90) return `about ${Math.round(seconds)} seconds left`;
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? `about ${minutes} minutes left` : `about ${oneDecimal(seconds / 3600)} hours left`;
  },
  /**
   * @param {number} width
   * @param {number} height
   * @param {number} bytes
   * @param {number} seconds
   * @param {string} ran
   */
  done: (width, height, bytes, seconds, ran) =>
    `${width} × ${height}, ${oneDecimal(bytes / 1e6)} MB, ${oneDecimal(seconds)} seconds on ${ran}`,
  /** @param {string} name */
  started: (name) => `${name}: started`,
  /** @param {string} name */
  finished: (name) => `${name}: done, ready to save`,
  /** @param {string} name @param {string} why */
  failed: (name, why) => `${name}: ${why}`,
  save: "Save",
  /** @param {string} name */
  saveName: (name) => `Save ${name}`,
  stop: "Stop",
  /** @param {string} name */
  stopName: (name) => `Stop ${name}`,
  remove: "Remove",
  /** @param {string} name */
  removeName: (name) => `Remove ${name} from the list`,
  show: "Compare",
  /** @param {string} name */
  showName: (name) => `Compare before and after of ${name}`,
  /** @param {number} percent */
  slider: (percent) => `${percent} percent of the picture show the photo as it was`,
  /** @param {string} name */
  picture: (name) => `${name}, before and after. Arrow keys move the picture at 100 %.`,

  gpu: "the graphics processor (WebGPU)",
  /** @param {number} workers */
  cpu: (workers) => (workers === 1 ? "the processor (1 thread)" : `the processor (${workers} threads)`),
  gpuNotThere: "This browser offers no WebGPU: the processor does the work.",
  /** @param {string} difference */
  gpuWrong: (difference) =>
    `WebGPU gave a wrong picture on a test tile (${difference} of 255 levels off): ` +
    "the processor does the work.",
  /** @param {string} reason */
  gpuFailed: (reason) => `WebGPU cannot run this network here (${reason}): the processor does the work.`,

  gpuPartly: "it has not all of the operations",

  notAPhoto: "this is not a PNG, JPEG or WebP photo: save it as one of these",
  cutOff: "the file is damaged or cut off: get the whole file again",
  cannotDecode: "the browser cannot read this photo: it is damaged, or too large for this device",
  cmyk: "the photo is CMYK, made for printing: save it as RGB",
  animated: "the file has several frames: save each one as a photo of its own",
  /** @param {number} width @param {number} height */
  tooLarge: (width, height) =>
    `${width} × ${height} pixels: 200 megapixels and sides of 65,535 are the limit: make it smaller`,
  transparentWebp: "browsers lose colours of transparent WebP photos: save it as PNG",
  jpegAlpha: "the photo has transparency, which JPEG cannot hold: choose PNG",
  jpegTooLarge: "the result has more pixels a side than JPEG can hold (65,500): choose PNG",
  sixteenBits: "the photo's 16 bits a colour become 8",
  notANumber: "the network's result has values that are no numbers: choose the processor, or another model",
  black:
    "the network's result is all black although the photo is not: choose the processor, or another model",
  flat:
    "the network's result is one flat colour although the photo is not: " +
    "choose the processor, or another model",
  /** @param {string} reason */
  engine: (reason) =>
    `the network failed (${reason}): choose the processor, or close other tabs and try again`,
  /** @param {string} reason */
  defect: (reason) => `this should not happen (${reason}): please report it`,
};
