/**
 * The answering end of a worker's wire; `Client` is the asking end.
 *
 * @import { Methods, Notice, Reply, Request } from "./protocol.js"
 * @import { Progress } from "./types.js"
 */

import { errorToData } from "./errors.js";

/**
 * @template {Methods} M
 * @typedef {{ [Name in keyof M]: (
 *   params: Parameters<M[Name]>[0],
 *   report: (progress: Progress) => void,
 * ) => Promise<{ value: ReturnType<M[Name]>, transfer?: Transferable[] }> }} Handlers
 *   A handler for each method. The value is copied to the caller, except for its parts
 *   in `transfer`, which are moved.
 */

/**
 * Answer the requests that this worker gets. An aborted request ends when its handler next reports
 * progress: that call throws.
 *
 * @template {Methods} M
 * @param {Handlers<M>} handlers
 */
export function serve(handlers) {
  /** @type {Map<number, AbortController>} */
  const running = new Map();
  holdLock();
  self.onmessageerror = () => endWorker("it received a message that cannot be read");
  self.onmessage = async ({ data }) => {
    if ("abort" in data) {
      running.get(data.abort)?.abort();
      return;
    }
    const { id, method, params } = /** @type {Request} */ (data);
    const controller = new AbortController();
    running.set(id, controller);
    /** @type {(reply: Reply, transfer?: Transferable[]) => void} */
    const post = (reply, transfer = []) => self.postMessage(reply, { transfer });
    try {
      const report = (/** @type {Progress} */ progress) => {
        controller.signal.throwIfAborted();
        post({ id, progress });
      };
      const { value, transfer } = await handlers[/** @type {keyof M} */ (method)](params, report);
      post({ id, value }, transfer);
    } catch (error) {
      post({ id, error: errorToData(error) });
    } finally {
      running.delete(id);
    }
  };
}

/**
 * End this worker, and say why. All of its requests are rejected.
 *
 * @param {string} reason
 */
export function endWorker(reason) {
  self.postMessage(/** @type {Notice} */ ({ ended: reason }));
  self.close();
}

/**
 * Hold a lock for as long as this worker lives: no event reports the end of a worker, but browsers
 * release its locks. On plain HTTP there are no locks.
 */
function holdLock() {
  const lock = `twinvec worker ${Math.random()}`;
  navigator.locks
    ?.request(lock, () => {
      self.postMessage(/** @type {Notice} */ ({ lock }));
      return new Promise(() => {});
    })
    .catch(() => {}); // a document without an origin has none either
}
