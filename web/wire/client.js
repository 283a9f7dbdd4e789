/**
 * Both ends of a worker's wire: `Client` asks, `serve` answers.
 *
 * Requests carry an id, so that any number may be under way. A worker that dies rejects all of
 * them, and whatever is asked of it later.
 *
 * @import { Abort, ErrorData, Reply, Request } from "./protocol.js"
 * @import { Progress } from "./types.js"
 */

/**
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((progress: Progress) => void) | undefined} onProgress
 */

/** @template {{ [M in keyof Methods]: (params: any) => any }} Methods */
export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 0;
  #worker;
  /**
   * Why nothing can be asked any more.
   *
   * @type {Error | null}
   */
  ended = null;

  /** @param {string | URL} url  of a module that calls `serve` */
  constructor(url) {
    const name = new URL(url).pathname.split("/").pop();
    this.#worker = new Worker(url, { type: "module", name });
    this.#worker.onmessage = ({ data }) => this.#settle(data);
    this.#worker.onmessageerror = () => this.#end(`${name} sent what could not be read`);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message || `${url} could not be loaded`;
      this.#end(`${name} ended: ${reason}. Reload the page.`);
    };
  }

  /**
   * @template {keyof Methods & string} M
   * @param {M} method
   * @param {Parameters<Methods[M]>[0]} params
   * @param {{ transfer?: Transferable[], onProgress?: (progress: Progress) => void,
   *   signal?: AbortSignal | undefined }} [options]
   * @returns {Promise<ReturnType<Methods[M]>>}
   */
  request(method, params, { transfer = [], onProgress, signal } = {}) {
    if (this.ended) return Promise.reject(this.ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#nextId++;
    // Answered like any request: what was done before it arrived is not taken back.
    const abort = () => this.#worker.postMessage(/** @type {Abort} */ ({ abort: id }));
    signal?.addEventListener("abort", abort);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      this.#worker.postMessage(/** @type {Request} */ ({ id, method, params }), transfer);
    })
      .catch((error) => {
        throw signal?.aborted ? signal.reason : error;
      })
      .finally(() => signal?.removeEventListener("abort", abort));
  }

  /** End the worker; what is under way is rejected. */
  terminate() {
    this.#end("the pipeline was disposed of");
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

  /** @param {string} reason */
  #end(reason) {
    this.ended ??= named("WorkerError", reason);
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(this.ended);
    this.#pending.clear();
  }
}

/**
 * @template {{ [M in keyof Methods]: (params: any) => any }} Methods
 * @typedef {{ [M in keyof Methods]: (
 *   params: Parameters<Methods[M]>[0],
 *   report: (progress: Progress) => void,
 * ) => Promise<{ value: ReturnType<Methods[M]>, transfer?: Transferable[] }> }} Handlers
 */

/**
 * Answer requests in this worker. A handler whose request was aborted ends when it next reports
 * progress, which then throws.
 *
 * @template {{ [M in keyof Methods]: (params: any) => any }} Methods
 * @param {Handlers<Methods>} handlers
 */
export function serve(handlers) {
  /** @type {Map<number, AbortController>} */
  const underWay = new Map();
  self.onmessage = async ({ data }) => {
    if ("abort" in data) {
      underWay.get(data.abort)?.abort();
      return;
    }
    const { id, method, params } = /** @type {Request} */ (data);
    const controller = new AbortController();
    underWay.set(id, controller);
    /** @type {(reply: Reply, transfer?: Transferable[]) => void} */
    const post = (reply, transfer = []) => self.postMessage(reply, { transfer });
    try {
      const handler = handlers[/** @type {keyof Methods} */ (method)];
      const { value, transfer } = await handler(params, (progress) => {
        controller.signal.throwIfAborted();
        post({ id, progress });
      });
      post({ id, value }, transfer);
    } catch (error) {
      post({ id, error: errorToData(error) });
    } finally {
      underWay.delete(id);
    }
  };
}

/**
 * An error with a name of its own, such as those of `twinvec.errors`.
 *
 * @param {string} name
 * @param {string} message
 */
export function named(name, message) {
  return Object.assign(new Error(message), { name });
}

/**
 * @param {ErrorData} data
 * @returns {Error}
 */
export function errorFromData({ name, message, stack }) {
  const error = name === "TypeError" ? new TypeError(message) : new Error(message);
  return Object.assign(error, { name, stack });
}

/**
 * @param {unknown} error
 * @returns {ErrorData}
 */
function errorToData(error) {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  return { name: error.name, message: error.message, stack: error.stack };
}
