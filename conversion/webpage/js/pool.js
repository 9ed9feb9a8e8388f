/** Engines that are lent out one by one, and stop being lent when the work is stopped. */

import { Stopped } from "./errors.js";

/** @template Engine */
export class Pool {
  /** @param {Engine[]} engines */
  constructor(engines) {
    this.free = [...engines];
    /** @type {{resolve: (engine: Engine) => void, reject: (error: Error) => void}[]} */
    this.waiting = [];
    this.stopped = false;
  }

  /**
   * @returns {Promise<Engine>} one that nobody else has; to be given back
   * @throws {Stopped}
   */
  async take() {
    if (this.stopped) throw new Stopped();
    const engine = this.free.pop();
    return engine ?? new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** @param {Engine} engine */
  give(engine) {
    const next = this.waiting.shift();
    if (next) next.resolve(engine);
    else this.free.push(engine);
  }

  /** Whoever waits or comes is told that it is stopped. */
  stop() {
    this.stopped = true;
    for (const { reject } of this.waiting.splice(0)) reject(new Stopped());
  }
}
