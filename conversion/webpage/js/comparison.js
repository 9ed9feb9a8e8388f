/** Before and after, one over the other: a line to drag, the whole picture or each of its pixels. */

import { element } from "./payload.js";
import { AS_STORED, fitted } from "./preview.js";
import { TEXTS } from "./texts.js";

const TALLEST = 0.7; // of the window's height
const NEAR_LINE = 28; // CSS pixels
const STEP = 64; // of the arrow keys, pixels of the screen
const KEPT_TILES = 24;

/** What can be looked at of one photo; tiles come while it is made. */
export class Picture {
  /** @param {File} file @param {import("./photo_worker.js").Opened} opened */
  constructor(file, { width, height, alpha, before }) {
    this.file = file;
    this.width = width;
    this.height = height;
    this.alpha = alpha;
    this.before = before;
    const fit = fitted({ width, height });
    this.shrunk = fit.shrunk;
    this.after = document.createElement("canvas");
    [this.after.width, this.after.height] = [fit.width, fit.height];
    /** @type {import("./photo_worker.js").Tile[]} */
    this.tiles = [];
  }

  /** @param {import("./photo_worker.js").Tile} tile */
  async add(tile) {
    this.tiles.push(tile);
    const bitmap = await createImageBitmap(tile.view);
    const brush = /** @type {CanvasRenderingContext2D} */ (this.after.getContext("2d"));
    brush.imageSmoothingQuality = "high";
    brush.drawImage(bitmap, ...scaled(tile, this.shrunk));
    bitmap.close();
  }
}

/** @param {{x: number, y: number, width: number, height: number}} tile @param {number} by */
function scaled({ x, y, width, height }, by) {
  return /** @type {[number, number, number, number]} */ ([x * by, y * by, width * by, height * by]);
}

/** The canvas, its slider and its buttons. */
export class Comparison {
  constructor() {
    this.section = element("compare");
    this.canvas = /** @type {HTMLCanvasElement} */ (element("picture"));
    this.slider = /** @type {HTMLInputElement} */ (element("slider"));
    this.fit = /** @type {HTMLButtonElement} */ (element("fit"));
    this.full = /** @type {HTMLButtonElement} */ (element("full"));
    /** @type {Picture?} */
    this.picture = null;
    this.zoomed = false;
    this.corner = { x: 0, y: 0 }; // of what is seen at 100 %, pixels of the result
    /** @type {{picture: Picture, bitmap: ImageBitmap}?} */
    this.source = null;
    /** @type {Map<import("./photo_worker.js").Tile, ImageBitmap?>} */
    this.decoded = new Map();
    this.listen();
  }

  /** @param {Picture} picture */
  show(picture) {
    if (this.picture !== picture) {
      this.picture = picture;
      this.forget();
      this.zoom(false);
      this.canvas.classList.toggle("clear", picture.alpha);
      this.canvas.setAttribute("aria-label", TEXTS.picture(picture.file.name));
    }
    this.section.hidden = false;
    this.draw();
  }

  /** @param {Picture} picture that is no longer there */
  hide(picture) {
    if (this.picture !== picture) return;
    this.picture = null;
    this.forget();
    this.section.hidden = true;
  }

  forget() {
    for (const bitmap of this.decoded.values()) bitmap?.close();
    this.decoded.clear();
    this.source?.bitmap.close();
    this.source = null;
  }

  /**
   * @param {boolean} zoomed
   * @param {{x: number, y: number}} middle of what to see, as shares of the picture
   */
  zoom(zoomed, middle = { x: 0.5, y: 0.5 }) {
    this.zoomed = zoomed;
    this.fit.setAttribute("aria-pressed", String(!zoomed));
    this.full.setAttribute("aria-pressed", String(zoomed));
    this.canvas.classList.toggle("zoomed", zoomed);
    this.measure();
    if (this.picture) {
      this.corner.x = middle.x * this.picture.width - this.canvas.width / 2;
      this.corner.y = middle.y * this.picture.height - this.canvas.height / 2;
    }
    this.draw();
  }

  measure() {
    if (!this.picture) return;
    const wide = this.section.clientWidth;
    const high = Math.max(
      120,
      Math.min(innerHeight * TALLEST, (wide * this.picture.height) / this.picture.width),
    );
    const fitted = Math.min(wide, (high * this.picture.width) / this.picture.height);
    this.canvas.style.width = `${this.zoomed ? wide : Math.max(1, fitted)}px`;
    this.canvas.style.height = `${high}px`;
    const size = [
      Math.round(this.canvas.clientWidth * devicePixelRatio),
      Math.round(high * devicePixelRatio),
    ];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1])
      [this.canvas.width, this.canvas.height] = size;
  }

  draw() {
    const picture = this.picture;
    if (!picture || this.section.hidden) return;
    this.measure();
    const { width, height } = this.canvas;
    const brush = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    brush.imageSmoothingQuality = "high";
    brush.clearRect(0, 0, width, height);
    if (this.zoomed) this.drawTiles(brush, picture);
    else brush.drawImage(picture.after, 0, 0, width, height);
    const line = (width * Number(this.slider.value)) / 100;
    brush.save();
    brush.beginPath();
    brush.rect(0, 0, line, height);
    brush.clip();
    brush.clearRect(0, 0, width, height);
    if (this.zoomed) this.drawSource(brush, picture);
    else brush.drawImage(picture.before, 0, 0, width, height);
    brush.restore();
    brush.fillStyle = "#fff";
    brush.shadowColor = "#000";
    brush.shadowBlur = 4 * devicePixelRatio;
    brush.fillRect(line - devicePixelRatio, 0, 2 * devicePixelRatio, height);
    brush.beginPath();
    brush.arc(line, height / 2, 10 * devicePixelRatio, 0, 2 * Math.PI);
    brush.fill();
    brush.shadowBlur = 0;
  }

  /** @param {CanvasRenderingContext2D} brush @param {Picture} picture */
  drawTiles(brush, picture) {
    this.keepInside(picture);
    const { x, y } = { x: Math.round(this.corner.x), y: Math.round(this.corner.y) };
    const seen = picture.tiles.filter(
      (tile) =>
        tile.x < x + this.canvas.width &&
        tile.x + tile.width > x &&
        tile.y < y + this.canvas.height &&
        tile.y + tile.height > y,
    );
    for (const tile of seen) {
      const bitmap = this.decoded.get(tile);
      if (bitmap) brush.drawImage(bitmap, tile.x - x, tile.y - y);
      if (bitmap === undefined) this.decode(tile, picture);
    }
    for (const [tile, bitmap] of this.decoded) {
      if (this.decoded.size <= Math.max(KEPT_TILES, seen.length)) break;
      if (bitmap && !seen.includes(tile)) {
        bitmap.close();
        this.decoded.delete(tile);
      }
    }
  }

  /** @param {import("./photo_worker.js").Tile} tile @param {Picture} picture */
  async decode(tile, picture) {
    this.decoded.set(tile, null);
    const bitmap = await createImageBitmap(tile.view);
    if (this.picture !== picture) return bitmap.close();
    this.decoded.set(tile, bitmap);
    this.draw();
  }

  /** @param {CanvasRenderingContext2D} brush @param {Picture} picture */
  drawSource(brush, picture) {
    if (this.source?.picture !== picture) {
      this.openSource(picture);
      return;
    }
    const { bitmap } = this.source;
    const scale = picture.width / bitmap.width;
    const [x, y] = [Math.round(this.corner.x), Math.round(this.corner.y)];
    const { width, height } = this.canvas;
    // A pixel more on every side, so that the edge of what is seen is made of its real neighbours.
    const [left, top] = [Math.max(0, Math.floor(x / scale) - 1), Math.max(0, Math.floor(y / scale) - 1)];
    const right = Math.min(bitmap.width, Math.ceil((x + width) / scale) + 1);
    const bottom = Math.min(bitmap.height, Math.ceil((y + height) / scale) + 1);
    const [wide, high] = [right - left, bottom - top];
    brush.drawImage(
      bitmap,
      left,
      top,
      wide,
      high,
      left * scale - x,
      top * scale - y,
      wide * scale,
      high * scale,
    );
  }

  /** @param {Picture} picture */
  async openSource(picture) {
    const bitmap = await createImageBitmap(picture.file, AS_STORED);
    if (this.picture !== picture || this.source) return bitmap.close();
    this.source = { picture, bitmap };
    this.draw();
  }

  /** @param {Picture} picture */
  keepInside({ width, height }) {
    const inside = (/** @type {number} */ at, /** @type {number} */ room) =>
      room < 0 ? room / 2 : Math.min(room, Math.max(0, at)); // the smaller one stands in the middle
    this.corner.x = inside(this.corner.x, width - this.canvas.width);
    this.corner.y = inside(this.corner.y, height - this.canvas.height);
  }

  listen() {
    this.slider.addEventListener("input", () => this.moveLine(Number(this.slider.value)));
    this.fit.addEventListener("click", () => this.zoom(false));
    this.full.addEventListener("click", () => this.zoom(true));
    this.canvas.addEventListener("dblclick", (event) => {
      const { width, height } = this.canvas.getBoundingClientRect();
      this.zoom(!this.zoomed, { x: event.offsetX / width, y: event.offsetY / height });
    });
    this.canvas.addEventListener("keydown", (event) => this.pan(event));
    this.canvas.addEventListener("pointerdown", (event) => this.startDrag(event));
    addEventListener("resize", () => this.draw());
    this.moveLine(Number(this.slider.value));
  }

  /** @param {number} percent */
  moveLine(percent) {
    this.slider.value = String(percent);
    this.slider.setAttribute("aria-valuetext", TEXTS.slider(Math.round(Number(this.slider.value))));
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  pan(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || !this.zoomed) return;
    event.preventDefault();
    this.corner.x += way[0] * STEP * devicePixelRatio;
    this.corner.y += way[1] * STEP * devicePixelRatio;
    this.draw();
  }

  /**
   * The line follows the pointer; at 100 %, a drag away from the line moves the picture.
   * @param {PointerEvent} start
   */
  startDrag(start) {
    if (start.button !== 0) return;
    const width = this.canvas.clientWidth;
    const line = (width * Number(this.slider.value)) / 100;
    const moves = this.zoomed && Math.abs(start.offsetX - line) > NEAR_LINE;
    const corner = { ...this.corner };
    this.canvas.setPointerCapture(start.pointerId);
    const drag = (/** @type {PointerEvent} */ event) => {
      if (!moves) return this.moveLine((100 * event.offsetX) / width);
      this.corner.x = corner.x - (event.clientX - start.clientX) * devicePixelRatio;
      this.corner.y = corner.y - (event.clientY - start.clientY) * devicePixelRatio;
      this.draw();
    };
    const end = () => {
      this.canvas.removeEventListener("pointermove", drag);
      for (const kind of ENDS) this.canvas.removeEventListener(kind, end);
    };
    this.canvas.addEventListener("pointermove", drag);
    for (const kind of ENDS) this.canvas.addEventListener(kind, end);
    if (!moves) drag(start);
  }
}

const ENDS = /** @type {const} */ (["pointerup", "pointercancel"]);
