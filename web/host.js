/**
 * What Python sees of a loaded model: its tokenizer and its sessions.
 *
 * @import { ExternalData, ModelInfo, OpenedSession, Output, Progress, Run, SessionMethods } from "./protocol.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { Client, named } from "./client.js";
import { fetchJson, fetchVerified } from "./download.js";

/** More would need more memory than a phone has: each session holds its own copy of the weights. */
const MOST_SESSIONS = 2;

/**
 * Fetch, verify and open a model of this site.
 *
 * @param {URL} base  the folder of this site's files
 * @param {string | undefined} name  undefined for the site's first model
 * @param {string | undefined} asked  dtype; undefined for the model's first one here
 * @param {Report} report
 */
export async function openModel(base, name, asked, report) {
  const info = await findModel(base, name);
  const dtype = asked ?? Object.keys(info.weights)[0] ?? "fp32";
  if (!(dtype in info.weights)) {
    const dtypes = Object.keys(info.weights).join(", ");
    throw named("ModelNotFoundError", `${info.name} has no dtype ${dtype} here; it has ${dtypes}`);
  }
  const folder = info.name.split("/").map(encodeURIComponent).join("/");
  const fetchOne = async (/** @type {string} */ path) => {
    const expected = info.files[path];
    if (!expected) throw new Error(`models/manifest.json lists no ${path}; build again`);
    const url = new URL(`models/${folder}/${path}`, base);
    return fetchVerified(url, path, expected, (progress) =>
      report({ name: info.name, file: path, ...progress }),
    );
  };
  const fetchBlob = async (/** @type {string} */ path) => new Blob([await fetchOne(path)]);
  const weights = info.weights[dtype] ?? "";
  const external = Object.keys(info.files)
    .filter((path) => path.startsWith(`${weights}_data`))
    .map(async (path) => ({ path: path.replace("onnx/", ""), data: await fetchBlob(path) }));
  const [tokenizer, sessions] = await Promise.all([
    fetchOne("tokenizer.json").then((bytes) => openTokenizer(base, bytes)),
    Promise.all([fetchBlob(weights), ...external]).then(([onnx, ...externalData]) =>
      openSessions(base, onnx, externalData, report),
    ),
  ]);
  return new Model(info, dtype, tokenizer, sessions);
}

/** The object that `twinvec.runtime.pyodide` holds. */
class Model {
  #sessions;
  /** Sessions without a run. */
  #idle;
  /**
   * Runs without a session, oldest first.
   *
   * @type {{ resolve: (session: Client<SessionMethods>) => void, reject: (error: Error) => void }[]}
   */
  #waiting = [];

  /**
   * @param {ModelInfo} info
   * @param {string} dtype
   * @param {Awaited<ReturnType<typeof openTokenizer>>} tokenizer
   * @param {Awaited<ReturnType<typeof openSessions>>} sessions
   */
  constructor(info, dtype, tokenizer, sessions) {
    this.info = JSON.stringify(info);
    this.dtype = dtype;
    this.postProcessor = tokenizer.postProcessor;
    this.encode = tokenizer.encode;
    this.inputNames = sessions.inputNames;
    this.outputNames = sessions.outputNames;
    this.onnxruntime = sessions.version;
    this.sessionCount = sessions.clients.length;
    this.#sessions = sessions.clients;
    this.#idle = [...sessions.clients];
  }

  /**
   * Run on the first session that gets free, oldest run first.
   *
   * @param {Run} run
   * @param {string} output
   * @returns {Promise<Output | { error: string }>}  never rejected: Python may not be waiting any
   *   more
   */
  async run(run, output) {
    try {
      const session = await this.#take();
      try {
        const transfer = Object.values(run.inputs).map(({ buffer }) => buffer);
        return await session.request("run", { run, output }, { transfer });
      } finally {
        this.#give(session);
      }
    } catch (error) {
      return { error: `${error}` };
    }
  }

  dispose() {
    for (const session of this.#sessions) session.terminate();
  }

  /** @returns {Promise<Client<SessionMethods>>} */
  #take() {
    const session = this.#idle.pop();
    if (session) return Promise.resolve(session);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#refuseIfNoneLives();
    });
  }

  /** @param {Client<SessionMethods>} session */
  #give(session) {
    if (session.ended) this.#refuseIfNoneLives();
    else if (this.#waiting[0]) this.#waiting.shift()?.resolve(session);
    else this.#idle.push(session);
  }

  #refuseIfNoneLives() {
    if (this.#sessions.some(({ ended }) => !ended)) return;
    const reason = new Error(`no session is left: ${this.#sessions[0]?.ended?.message}`);
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}

/**
 * @param {URL} base
 * @param {string | undefined} name
 * @returns {Promise<ModelInfo>}
 */
async function findModel(base, name) {
  /** @type {{ models: ModelInfo[] }} */
  const { models } = await fetchJson(new URL("models/manifest.json", base));
  const info = name === undefined ? models[0] : models.find((model) => model.name === name);
  if (!info) {
    const names = models.map((model) => model.name).join(", ");
    throw named("ModelNotFoundError", `this site has no model ${name}; it has ${names}`);
  }
  return info;
}

/**
 * @param {URL} base
 * @param {Uint8Array<ArrayBuffer>} bytes  `tokenizer.json`
 */
async function openTokenizer(base, bytes) {
  await import(new URL("runtime/tokenizers/index.js", base).href); // sets globalThis.tokenizers
  const { post_processor, ...rest } = JSON.parse(new TextDecoder().decode(bytes));
  // What follows tokenizing is shared Python, and its truncation and padding are the only ones.
  const core = { ...rest, post_processor: null, truncation: null, padding: null };
  const { Tokenizer } = /** @type {any} */ (globalThis).tokenizers;
  /** @type {{ encode(text: string): Int32Array }} */
  const tokenizer = await Tokenizer.fromJSON(new TextEncoder().encode(JSON.stringify(core)).buffer);
  return {
    postProcessor: JSON.stringify(post_processor ?? null),
    encode: (/** @type {string} */ text) => tokenizer.encode(text),
  };
}

/**
 * @param {URL} base
 * @param {Blob} weights  the ONNX file; Blobs are shared by all session workers without a copy
 * @param {ExternalData[]} externalData
 * @param {Report} report
 */
async function openSessions(base, weights, externalData, report) {
  const step = { name: "runtime", file: "onnxruntime-web" };
  report({ status: "initiate", ...step });
  const runtime = new URL("runtime/onnxruntime-web/", base).href;
  const count = Math.min(MOST_SESSIONS, navigator.hardwareConcurrency || 1);
  /** @type {Client<SessionMethods>[]} */
  const clients = Array.from({ length: count }, () => new Client(new URL("session.js", base)));
  const opened = clients.map((client) =>
    client.request("open", { runtime, weights, externalData }),
  );
  const [{ inputNames, outputNames, version }] =
    /** @type {[OpenedSession]} */ (await Promise.all(opened));
  report({ status: "done", ...step });
  return { clients, inputNames, outputNames, version };
}
