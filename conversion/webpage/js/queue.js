/** The list of photos: each waits, is worked on, and can be stopped, compared and saved. */

import { element } from "./payload.js";
import { TEXTS } from "./texts.js";

const SHORTEST_GUESS_MS = 1500; // before that, the first tiles tell too little of the time left

/** @typedef {"waiting" | "working" | "done" | "ended"} State */

/** One photo's line. */
export class Entry {
  /**
   * @param {File} file
   * @param {number} id
   * @param {{stop: (entry: Entry) => void, show: (entry: Entry) => void, remove: (entry: Entry) => void}} on
   */
  constructor(file, id, on) {
    this.file = file;
    this.id = id;
    /** @type {State} */
    this.state = "waiting";
    /** @type {import("./comparison.js").Picture?} */
    this.picture = null;
    this.note = "";
    this.handedOver = false; // to the worker, which alone can end it then
    this.tiles = 0;
    this.done = 0;
    this.began = 0; // milliseconds, as the next
    this.firstTile = 0;
    this.line = document.createElement("li");
    this.line.tabIndex = -1;
    this.name = textElement("span", "name", file.name);
    this.said = textElement("span", "said", TEXTS.waiting);
    this.bar = document.createElement("progress");
    this.bar.hidden = true;
    this.bar.setAttribute("aria-label", file.name);
    this.save = Object.assign(textElement("a", "button", TEXTS.save), { hidden: true });
    this.save.classList.add("primary");
    this.show = button(TEXTS.show, TEXTS.showName(file.name), () => on.show(this));
    this.show.hidden = true;
    this.stop = button(TEXTS.stop, TEXTS.stopName(file.name), () => on.stop(this));
    this.remove = button(TEXTS.remove, TEXTS.removeName(file.name), () => on.remove(this));
    this.remove.hidden = true;
    const buttons = document.createElement("span");
    buttons.className = "buttons";
    buttons.append(this.save, this.show, this.stop, this.remove);
    this.line.append(this.name, this.said, this.bar, buttons);
    element("queue").append(this.line);
  }

  /** @param {string} what */
  begin(what) {
    this.state = "working";
    this.began = performance.now();
    this.say(what);
    this.bar.hidden = false;
    this.bar.removeAttribute("value");
  }

  /** @param {import("./photo_worker.js").Opened} opened */
  opened({ tiles, note }) {
    this.tiles = tiles;
    this.note = note;
    this.firstTile = performance.now();
    this.bar.max = tiles;
    this.bar.value = 0;
    this.show.hidden = false;
    this.say(TEXTS.tiles(0, tiles, ""));
  }

  advance() {
    this.done++;
    this.bar.value = this.done;
    const spent = performance.now() - this.firstTile;
    const left =
      spent < SHORTEST_GUESS_MS ? "" : TEXTS.left((spent / this.done / 1000) * (this.tiles - this.done));
    this.say(TEXTS.tiles(this.done, this.tiles, left));
  }

  stopping() {
    this.stop.disabled = true;
    this.say(TEXTS.stopping);
  }

  /**
   * @param {Blob} blob
   * @param {string} name
   * @param {{width: number, height: number}} size
   * @param {string} ran
   */
  finish(blob, name, { width, height }, ran) {
    const seconds = (performance.now() - this.began) / 1000;
    this.end(
      "done",
      TEXTS.done(width, height, blob.size, seconds, ran) + (this.note ? `; ${this.note}` : ""),
    );
    this.save.href = URL.createObjectURL(blob);
    this.save.download = name;
    this.save.setAttribute("aria-label", TEXTS.saveName(name));
    this.save.hidden = false;
  }

  /** @param {"done" | "ended"} state @param {string} what */
  end(state, what) {
    const focused = this.line.contains(document.activeElement);
    this.state = state;
    this.say(what);
    this.bar.hidden = this.stop.hidden = true;
    this.remove.hidden = false;
    if (state === "ended") this.show.hidden = true;
    if (focused) this.line.focus(); // a hidden button would drop the keyboard to the page's start
    this.line.classList.toggle("failed", state === "ended" && what !== TEXTS.stopped);
  }

  /** Takes the line away and gives its memory back. */
  drop() {
    if (this.save.href) URL.revokeObjectURL(this.save.href);
    this.line.remove();
  }

  /** @param {string} what */
  say(what) {
    this.said.textContent = what;
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} className @param {string} text
 */
function textElement(tag, className, text) {
  const made = document.createElement(tag);
  [made.className, made.textContent] = [className, text];
  return made;
}

/** @param {string} text @param {string} label for screen readers @param {() => void} pressed */
function button(text, label, pressed) {
  const made = textElement("button", "button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", pressed);
  return made;
}
