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
const DESKTOP_GIBIBYTES = 4; // where the browser reports no memory

/** WebKit names itself, and so does Chromium, but no other engine. */
const PHONE_OR_SAFARI = /Mobi|Android|AppleWebKit(?!.*Chrom)/;

/** A queue of runs in front of the sessions; each session does one run at a time. */
export class SessionPool {
  /** @type {Set<Session>} */
  #sessions = new Set();
  /**
   * Sessions without a run; the last one used is the next.
   *
   * @type {Session[]}
   */
  #idle = [];
  /**
   * Runs without a session, oldest first.
   *
   * @type {{ resolve: (session: Session) => void, reject: (error: Error) => void }[]}
   */
  #waiting = [];
  /** @type {(reason: Error) => void} */
  #resolveEnd = () => {};
  /**
   * Resolves to the reason when the last session has ended.
   *
   * @type {Promise<Error>}
   */
  whenEnded = new Promise((resolve) => (this.#resolveEnd = resolve));
  /** @type {Error | undefined} */
  #ended;

  /** @param {Session} session  the first one, opened already */
  constructor(session) {
    this.#join(session);
    this.#release(session);
  }

  /**
   * Open further sessions, one at a time. Each passes the weights on to the next.
   *
   * @param {number} count  of all sessions
   * @param {() => Session} start
   * @param {Weights[]} weights  of the first session
   */
  async grow(count, start, weights) {
    for (let opened = 1; opened < count && !this.#ended; opened++) {
      const session = start();
      this.#join(session);
      try {
        const transfer = weights.map(({ data }) => data.buffer);
        ({ weights } = await session.request("open", { weights }, { transfer }));
        this.#release(session);
      } catch (error) {
        session.terminate();
        throw error;
      }
    }
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

  /** @param {Session} session */
  #join(session) {
    this.#sessions.add(session);
    session.whenEnded.then((reason) => this.#drop(session, reason));
  }

  /** @returns {Promise<Session>} */
  #acquire() {
    if (this.#ended) return Promise.reject(this.#ended);
    const session = this.#idle.pop();
    if (session) return Promise.resolve(session);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @param {Session} session */
  #release(session) {
    if (session.ended) return;
    const next = this.#waiting.shift();
    if (next) next.resolve(session);
    else this.#idle.push(session);
  }

  /**
   * @param {Session} session  one that has ended
   * @param {Error} reason
   */
  #drop(session, reason) {
    this.#sessions.delete(session);
    this.#idle = this.#idle.filter((idle) => idle !== session);
    if (this.#sessions.size > 0) return;
    this.#ended = new Error(`no session is left: ${reason.message}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    this.#resolveEnd(this.#ended);
  }
}

/**
 * Choose the number of sessions: one a core, as long as they fit into a quarter of the memory.
 *
 * Each session has its own copy of the weights. Measured in Chromium: 450 MB for weights of 90 MB in
 * float32, 340 MB for 24 MB in int8, which expand.
 *
 * Only Chromium reports the memory, and only on HTTPS and localhost. Without a figure it is taken
 * as 4 GiB on a desktop; phones, and all of Safari, get one session. iPads name themselves as Macs,
 * and iOS ends a page at about 1 GB: a page with w8 weights survived it with one session (764 MB).
 *
 * @param {number} weightsBytes
 */
export function sessionCountFor(weightsBytes) {
  /** @type {WorkerNavigator & { deviceMemory?: number }} */
  const { hardwareConcurrency, deviceMemory, userAgent } = navigator; // memory in GiB
  if (deviceMemory === undefined && PHONE_OR_SAFARI.test(userAgent)) return 1;
  const sessionBytes = GIBIBYTE / 4 + 2 * weightsBytes;
  const fitting = Math.floor(((deviceMemory ?? DESKTOP_GIBIBYTES) * GIBIBYTE) / 4 / sessionBytes);
  return Math.max(1, Math.min(hardwareConcurrency || 1, fitting, MAX_SESSIONS));
}
