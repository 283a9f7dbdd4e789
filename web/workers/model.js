/**
 * What Python sees of a loaded model: its tokenizer and its sessions.
 *
 * @import { SessionMethods } from "../wire/protocol.js"
 * @import { Device, ModelFile, ModelInfo, OpenedSession, Output, Progress, Run, Weights } from "../wire/types.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { keep, keepOnly } from "../storage/cache.js";
import { fetchJson, fetchVerified } from "../storage/download.js";
import { Client, named } from "../wire/client.js";

const GIBIBYTE = 2 ** 30;

/**
 * Fetch, verify and open a model of this site.
 *
 * @param {URL} base  the folder of this site's files
 * @param {string | undefined} name  undefined for the site's first model
 * @param {string | undefined} asked  dtype; undefined for the model's first one here
 * @param {Device} device  what computes
 * @param {Report} report
 * @returns what can give vectors, and a function that does all that the first one does not need:
 *   it opens the other sessions, then keeps the files
 */
export async function openModel(base, name, asked, device, report) {
  const build = device === "webgpu" ? "onnxruntime-webgpu" : "onnxruntime-web";
  const runtime = new URL(`runtime/${build}/`, base).href;
  const startSession = () => {
    const client = /** @type {Client<SessionMethods>} */ (
      new Client(new URL("workers/session.js", base))
    );
    client.request("start", { runtime, device }).catch(() => {}); // told by what is asked of it next
    return client;
  };
  const step = { name: "runtime", file: build };
  report({ status: "initiate", ...step });
  const session = startSession(); // compiles while the manifest and the weights come
  const models = await listModels(base);
  const info = findModel(models, name);
  const dtype = asked ?? Object.keys(info.weights)[0] ?? "fp32";
  if (!(dtype in info.weights)) {
    const dtypes = Object.keys(info.weights).join(", ");
    throw named("ModelNotFoundError", `${info.name} has no dtype ${dtype} here; it has ${dtypes}`);
  }
  const folder = info.name.split("/").map(encodeURIComponent).join("/");
  /** @type {(path: string) => ModelFile} */
  const describe = (path) => {
    const expected = info.files[path];
    if (!expected) throw new Error(`models/manifest.json lists no ${path}; build again`);
    return { path, url: new URL(`models/${folder}/${path}`, base).href, ...expected };
  };
  const onProgress = (/** @type {Progress} */ progress) => report({ name: info.name, ...progress });
  const weights = info.weights[dtype] ?? "";
  const external = Object.keys(info.files).filter((path) => path.startsWith(`${weights}_data`));
  const files = [weights, ...external].map(describe);
  const vocabulary = describe("tokenizer.json");
  // All before any progress: what is told of the total must not fall as files are added to it.
  for (const { path, bytes } of [vocabulary, ...files]) {
    onProgress({ status: "initiate", file: path, loaded: 0, total: bytes });
  }
  const [tokenizer, opened] = await Promise.all([
    openTokenizer(base, vocabulary, onProgress),
    session.request("load", { files }, { onProgress }),
  ]).catch((error) => {
    session.terminate();
    throw error;
  });
  report({ status: "done", ...step });
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const count = device === "webgpu" ? 1 : sessionsFor(bytes); // all would share one GPU
  const loaded = new Model(info, dtype, device, tokenizer, session, opened, count);
  const settle = async () => {
    const weights = await loaded.grow(startSession, opened.weights);
    await Promise.all(files.map((file, i) => keep(file, /** @type {Weights} */ (weights[i]).data)));
    const known = models.flatMap((one) => Object.values(one.files));
    await keepOnly(
      new URL("models/", base),
      known.map(({ sha256 }) => sha256),
    );
  };
  return { loaded, settle };
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
   * @param {Device} device
   * @param {Awaited<ReturnType<typeof openTokenizer>>} tokenizer
   * @param {Client<SessionMethods>} session
   * @param {OpenedSession} opened
   * @param {number} sessionCount  how many there will be
   */
  constructor(info, dtype, device, tokenizer, session, opened, sessionCount) {
    this.info = JSON.stringify(info);
    this.dtype = dtype;
    this.device = device;
    this.postProcessor = tokenizer.postProcessor;
    this.encode = tokenizer.encode;
    this.inputNames = opened.inputNames;
    this.outputNames = opened.outputNames;
    this.onnxruntime = opened.version;
    this.sessionCount = sessionCount;
    this.#sessions = [session];
    this.#idle = [session];
  }

  /**
   * Open the other sessions, one after the other, each with the weights of the one before.
   *
   * @param {() => Client<SessionMethods>} start
   * @param {Weights[]} weights
   */
  async grow(start, weights) {
    while (this.#sessions.length < this.sessionCount) {
      const session = start();
      this.#sessions.push(session);
      try {
        const transfer = weights.map(({ data }) => data.buffer);
        ({ weights } = await session.request("open", { weights }, { transfer }));
      } catch (error) {
        session.terminate();
        throw error;
      } finally {
        this.#give(session);
      }
    }
    return weights;
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
 * Choose how many sessions to open: one a core, as long as they fit into a quarter of the memory.
 * Each holds its own copy of the weights; one of 90 MB in float32 took 450 MB in Chromium, one of
 * 24 MB in int8, which expands, 340 MB.
 *
 * @param {number} bytes  of the weights
 */
function sessionsFor(bytes) {
  /** @type {WorkerNavigator & { deviceMemory?: number }} */
  const { hardwareConcurrency, deviceMemory = 4 } = navigator; // GiB; not every browser tells
  const fit = Math.floor((deviceMemory * GIBIBYTE) / 4 / (GIBIBYTE / 4 + 2 * bytes));
  return Math.max(1, Math.min(hardwareConcurrency || 1, fit, 4));
}

/**
 * @param {URL} base
 * @returns {Promise<ModelInfo[]>}
 */
async function listModels(base) {
  // Asked for anew, lest a site that was built again is taken for what it was.
  const manifest = new URL("models/manifest.json", base);
  return (await fetchJson(manifest, { cache: "no-cache" })).models;
}

/**
 * @param {ModelInfo[]} models
 * @param {string | undefined} name
 * @returns {ModelInfo}
 */
function findModel(models, name) {
  const info = name === undefined ? models[0] : models.find((model) => model.name === name);
  if (!info) {
    const names = models.map((model) => model.name).join(", ");
    throw named("ModelNotFoundError", `this site has no model ${name}; it has ${names}`);
  }
  return info;
}

/**
 * @param {URL} base
 * @param {ModelFile} file  `tokenizer.json`
 * @param {Report} report
 */
async function openTokenizer(base, file, report) {
  const [bytes] = await Promise.all([
    fetchVerified(file, report),
    import(new URL("runtime/tokenizers/index.js", base).href), // sets globalThis.tokenizers
  ]);
  keep(file, bytes);
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
