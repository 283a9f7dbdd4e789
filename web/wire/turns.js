/** Turns for calls that wait for each other. */

/** A limited number of turns; those who wait for one get it in order. */
export class Turns {
  #free;
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {number} count  of turns at a time */
  constructor(count) {
    this.#free = count;
  }

  /**
   * Wait for a turn; `pass` ends it.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}  rejected with the signal's reason if that comes first
   */
  async take(signal) {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(begin);
        reject(signal?.reason);
      };
      const begin = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(begin);
    });
  }

  /** Let the next call begin. */
  pass() {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
