/**
 * The asking end of a worker's wire; `serve` is the answering end.
 *
 * Requests carry an id, so that any number of them may run at a time.
 *
 * @import { Abort, Methods, Notice, Reply, Request } from "./protocol.js"
 * @import { Progress } from "./types.js"
 */

import { errorFromData, namedError } from "./errors.js";
import { Turns } from "./turns.js";

/**
 * Requests with `inTurn` that a worker works on at a time. Further ones begin later, so that an
 * abort ends them at once; 16 of a text each keep four sessions busy.
 */
const MAX_UNDER_WAY = 16;

/**
 * @typedef {object} Pending  a request without a final reply
 * @property {(value: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((progress: Progress) => void) | undefined} onProgress
 *
 * @typedef {object} RequestOptions
 * @property {Transferable[]} [transfer]  the parts of the params that are moved, not copied
 * @property {(progress: Progress) => void} [onProgress]
 * @property {AbortSignal | undefined} [signal]
 * @property {boolean} [inTurn]  begin when few others of this kind are under way
 */

/**
 * A worker, and the requests that were sent to it.
 *
 * A worker that dies, however it does, rejects all of its pending requests and every later one.
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
  #turns = new Turns(MAX_UNDER_WAY);
  #nextId = 0;
  #name;
  #worker;
  /** @type {(reason: Error) => void} */
  #resolveEnd = () => {};
  /**
   * Reason why every request is rejected from now on.
   *
   * @type {Error | null}
   */
  ended = null;
  /**
   * Resolves to `ended`.
   *
   * @type {Promise<Error>}
   */
  whenEnded = new Promise((resolve) => (this.#resolveEnd = resolve));

  /** @param {string | URL} url  of a module that calls `serve` */
  constructor(url) {
    const name = new URL(url).pathname.split("/").pop();
    this.#name = name;
    this.#worker = new Worker(url, { type: "module", name });
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#fail("it sent a message that cannot be read");
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message || `${url} could not be loaded`);
    };
  }

  /**
   * Call a method of the worker.
   *
   * @template {keyof M & string} Name
   * @param {Name} method
   * @param {Parameters<M[Name]>[0]} params
   * @param {RequestOptions} [options]
   * @returns {Promise<ReturnType<M[Name]>>}  rejected with an error of the worker, with `ended`, or
   *   with the signal's reason
   */
  async request(method, params, { inTurn = false, ...options } = {}) {
    if (!inTurn) return this.#send(method, params, options);
    await this.#turns.take(options.signal);
    return this.#send(method, params, options).finally(() => this.#turns.pass());
  }

  /** End the worker; pending requests are rejected. */
  terminate() {
    this.#end("the pipeline was disposed of");
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {RequestOptions} options
   * @returns {Promise<any>}
   */
  async #send(method, params, { transfer = [], onProgress, signal }) {
    if (this.ended) throw this.ended;
    signal?.throwIfAborted();
    const id = this.#nextId++;
    // The worker answers an aborted request too: work done before the abort is not undone.
    const abort = () => this.#worker.postMessage(/** @type {Abort} */ ({ abort: id }));
    signal?.addEventListener("abort", abort);
    try {
      return await new Promise((resolve, reject) => {
        this.#post({ id, method, params }, transfer);
        this.#pending.set(id, { resolve, reject, onProgress });
      });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * @param {Request} request
   * @param {Transferable[]} transfer
   */
  #post(request, transfer) {
    try {
      this.#worker.postMessage(request, transfer);
    } catch (error) {
      // A function among the arguments, say, or objects nested too deep.
      const problem = `the arguments of ${request.method} cannot be sent to a worker`;
      throw new TypeError(`${problem}: ${error}`, { cause: error });
    }
  }

  /** @param {Reply | Notice} message */
  #receive(message) {
    if ("ended" in message) this.#fail(message.ended);
    else if ("lock" in message) this.#watch(message.lock);
    else this.#settle(message);
  }

  /**
   * Wait for a lock that the worker holds for as long as it lives.
   *
   * @param {string} lock
   */
  #watch(lock) {
    navigator.locks
      .request(lock, () => this.#fail("it was closed, or the browser ended it"))
      .catch(() => {}); // this page is going away
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
  #fail(reason) {
    this.#end(`${this.#name} ended: ${reason}. Reload the page, or open the model again.`);
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.ended) return;
    this.ended = namedError("WorkerError", reason);
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(this.ended);
    this.#pending.clear();
    this.#resolveEnd(this.ended);
  }
}
