/** Questions over a worker or a message port, each with one answer. */

/** Asks the other side, which `serve`s. */
export class Caller {
  /** @param {Worker | MessagePort} port */
  constructor(port) {
    this.port = port;
    /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    this.asked = 0;
    port.onmessage = ({ data }) => {
      const call = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error === undefined) call?.resolve(data.result);
      else call?.reject(new Error(data.error));
    };
  }

  /**
   * @param {string} kind one of the other side's handlers
   * @param {object} body what it is given
   * @param {Transferable[]} transfer
   * @returns {Promise<any>} what it returns
   */
  ask(kind, body, transfer = []) {
    const id = this.asked++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.port.postMessage({ id, kind, body }, transfer);
    });
  }

  /** @param {Error} error what all who still wait are told */
  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/**
 * Answers the questions that come over a port.
 *
 * @param {{onmessage: any, postMessage: (message: any, transfer: Transferable[]) => void}} port
 * @param {Record<string, (body: any) => any>} handlers by kind; a result's `transfer` goes over without a
 *   copy
 */
export function serve(port, handlers) {
  port.onmessage = async (/** @type {MessageEvent} */ { data: { id, kind, body } }) => {
    try {
      const { transfer = [], ...result } = (await handlers[kind](body)) ?? {};
      port.postMessage({ id, result }, transfer);
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error.message : String(error) }, []);
    }
  };
}
