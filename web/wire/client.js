/**
 * The asking end of a worker's wire; `serve` is the answering end.
 *
 * Requests carry an id, so that any number of them may run at a time.
 *
 * @import { Abort, Methods, Reply, Request } from "./protocol.js"
 * @import { Progress } from "./types.js"
 */

import { errorFromData, namedError } from "./errors.js";

/**
 * @typedef {object} Pending  a request without a final reply
 * @property {(value: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((progress: Progress) => void) | undefined} onProgress
 */

/**
 * A worker, and the requests that were sent to it.
 *
 * A worker that dies rejects all of its pending requests and every later one.
 *
 * @example
 * const worker = new Client(new URL("workers/python.js", base));
 * const { dims, data } = await worker.request("embed", params, { onProgress: console.log });
 *
 * @template {Methods} M
 */
export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 0;
  #worker;
  /**
   * Reason why every request is rejected from now on.
   *
   * @type {Error | null}
   */
  ended = null;

  /** @param {string | URL} url  of a module that calls `serve` */
  constructor(url) {
    const name = new URL(url).pathname.split("/").pop();
    this.#worker = new Worker(url, { type: "module", name });
    this.#worker.onmessage = ({ data }) => this.#settle(data);
    this.#worker.onmessageerror = () => this.#end(`${name} sent a message that cannot be read`);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message || `${url} could not be loaded`;
      this.#end(`${name} ended: ${reason}. Reload the page.`);
    };
  }

  /**
   * Call a method of the worker.
   *
   * @template {keyof M & string} Name
   * @param {Name} method
   * @param {Parameters<M[Name]>[0]} params
   * @param {{ transfer?: Transferable[], onProgress?: (progress: Progress) => void,
   *   signal?: AbortSignal | undefined }} [options]  `transfer` names the parts of `params` that are
   *   moved, not copied
   * @returns {Promise<ReturnType<M[Name]>>}  rejected with an error of the worker, with `ended`, or
   *   with the signal's reason
   */
  request(method, params, { transfer = [], onProgress, signal } = {}) {
    if (this.ended) return Promise.reject(this.ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#nextId++;
    // The worker answers an aborted request too: work done before the abort is not undone.
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

  /** End the worker; pending requests are rejected. */
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
    this.ended ??= namedError("WorkerError", reason);
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(this.ended);
    this.#pending.clear();
  }
}
