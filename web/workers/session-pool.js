/**
 * Session workers that share the runs of a model.
 *
 * @import { Client } from "../wire/client.js"
 * @import { SessionMethods } from "../wire/protocol.js"
 * @import { Output, Run, Weights } from "../wire/types.js"
 * @typedef {Client<SessionMethods>} Session
 */

const GIBIBYTE = 2 ** 30;
const MAX_SESSIONS = 4;

/** A queue of runs in front of the sessions; each session does one run at a time. */
export class SessionPool {
  /** @type {Session[]} */
  #sessions;
  /**
   * Sessions without a run.
   *
   * @type {Session[]}
   */
  #idle;
  /**
   * Runs without a session, oldest first.
   *
   * @type {{ resolve: (session: Session) => void, reject: (error: Error) => void }[]}
   */
  #waiting = [];

  /** @param {Session} session  the first one, opened already */
  constructor(session) {
    this.#sessions = [session];
    this.#idle = [session];
  }

  /**
   * Open further sessions, one at a time. Each passes the weights on to the next.
   *
   * @param {number} count  of all sessions
   * @param {() => Session} start
   * @param {Weights[]} weights  of the first session
   * @returns {Promise<Weights[]>}  of the last one
   */
  async grow(count, start, weights) {
    while (this.#sessions.length < count) {
      const session = start();
      this.#sessions.push(session);
      try {
        const transfer = weights.map(({ data }) => data.buffer);
        ({ weights } = await session.request("open", { weights }, { transfer }));
      } catch (error) {
        session.terminate();
        throw error;
      } finally {
        this.#release(session);
      }
    }
    return weights;
  }

  /**
   * Run on the next idle session; the oldest run comes first.
   *
   * @param {Run} run
   * @param {string} output
   * @returns {Promise<Output>}
   */
  async run(run, output) {
    const session = await this.#acquire();
    try {
      const transfer = Object.values(run.inputs).map(({ buffer }) => buffer);
      return await session.request("run", { run, output }, { transfer });
    } finally {
      this.#release(session);
    }
  }

  dispose() {
    for (const session of this.#sessions) session.terminate();
  }

  /** @returns {Promise<Session>} */
  #acquire() {
    const session = this.#idle.pop();
    if (session) return Promise.resolve(session);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#rejectIfAllEnded();
    });
  }

  /** @param {Session} session */
  #release(session) {
    if (session.ended) this.#rejectIfAllEnded();
    else if (this.#waiting[0]) this.#waiting.shift()?.resolve(session);
    else this.#idle.push(session);
  }

  #rejectIfAllEnded() {
    if (this.#sessions.some(({ ended }) => !ended)) return;
    const reason = new Error(`no session is left: ${this.#sessions[0]?.ended?.message}`);
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}

/**
 * Choose the number of sessions: one a core, as long as they fit into a quarter of the memory.
 *
 * Each session has its own copy of the weights. Measured in Chromium: 450 MB for weights of 90 MB in
 * float32, 340 MB for 24 MB in int8, which expand.
 *
 * @param {number} weightsBytes
 */
export function sessionCountFor(weightsBytes) {
  /** @type {WorkerNavigator & { deviceMemory?: number }} */
  const { hardwareConcurrency, deviceMemory = 4 } = navigator; // GiB; only Chromium reports it
  const sessionBytes = GIBIBYTE / 4 + 2 * weightsBytes;
  const fitting = Math.floor((deviceMemory * GIBIBYTE) / 4 / sessionBytes);
  return Math.max(1, Math.min(hardwareConcurrency || 1, fitting, MAX_SESSIONS));
}
