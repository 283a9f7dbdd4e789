/**
 * Both ends of a worker's wire: `Client` asks, `serve` answers.
 *
 * Requests carry an id, so that any number may be under way. A worker that dies rejects all of
 * them, and whatever is asked of it later.
 *
 * @import { ErrorData, Progress, Reply, Request } from "./protocol.js"
 */

/**
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((progress: Progress) => void) | undefined} onProgress
 */

export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 0;
  /** @type {Error | null} */
  #dead = null;
  #worker;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#settle(data);
    worker.onmessageerror = () => this.#end(new Error("a worker's message could not be read"));
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`a worker ended: ${event.message ?? "its script could not be loaded"}`));
    };
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {{ transfer?: Transferable[], onProgress?: (progress: Progress) => void }} [options]
   * @returns {Promise<any>}
   */
  request(method, params, { transfer = [], onProgress } = {}) {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      this.#worker.postMessage(/** @type {Request} */ ({ id, method, params }), transfer);
    });
  }

  /** End the worker; what is under way is rejected. */
  terminate() {
    this.#end(new Error("the pipeline was disposed of"));
  }

  /** @param {Reply} reply */
  #settle(reply) {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if ("progress" in reply) {
      pending.onProgress?.(reply.progress);
      return;
    }
    this.#pending.delete(reply.id);
    if ("error" in reply) pending.reject(errorFromData(reply.error));
    else pending.resolve(reply.value);
  }

  /** @param {Error} reason */
  #end(reason) {
    this.#dead ??= reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}

/**
 * Answer requests in this worker. A handler gives `{ value, transfer? }`.
 *
 * @typedef {{ value: unknown, transfer?: Transferable[] }} Answer
 * @typedef {(params: any, report: (progress: Progress) => void) => Promise<Answer>} Handler
 * @param {Record<string, Handler>} handlers
 */
export function serve(handlers) {
  self.onmessage = async ({ data: { id, method, params } }) => {
    /** @type {(reply: Reply, transfer?: Transferable[]) => void} */
    const post = (reply, transfer = []) => self.postMessage(reply, { transfer });
    try {
      const { value, transfer } = await handlers[method](params, (progress) => post({ id, progress }));
      post({ id, value }, transfer);
    } catch (error) {
      post({ id, error: errorToData(error) });
    }
  };
}

/**
 * @param {unknown} error
 * @returns {ErrorData}
 */
function errorToData(error) {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  return { name: error.name, message: error.message, stack: error.stack };
}

/**
 * @param {ErrorData} data
 * @returns {Error}
 */
export function errorFromData({ name, message, stack }) {
  const error = name === "TypeError" ? new TypeError(message) : new Error(message);
  return Object.assign(error, { name, stack });
}
