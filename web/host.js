/**
 * What Python sees of a loaded model: its tokenizer and its sessions.
 *
 * @import { ModelInfo, Output, Progress, Run } from "./protocol.js"
 * @typedef {(progress: Progress) => void} Report
 * @typedef {{ encode(text: string): Int32Array, dispose(): void }} WasmTokenizer
 */

import { Client } from "./client.js";

/** More would need more memory than a phone has: each session holds its own copy of the weights. */
const MOST_SESSIONS = 2;

/**
 * Fetch, verify and open a model of this site.
 *
 * @param {URL} base  the folder of this site's files
 * @param {string | undefined} name  undefined for the site's first model
 * @param {string} dtype
 * @param {Report} report
 */
export async function openModel(base, name, dtype, report) {
  const info = await findModel(base, name, dtype);
  const folder = new URL(`models/${info.name}/`, base);
  const fetchOne = (/** @type {string} */ path) =>
    fetchVerified(new URL(path, folder), path, info.files[path], (progress) =>
      report({ name: info.name, file: path, ...progress }),
    );
  const [tokenizer, sessions] = await Promise.all([
    fetchOne("tokenizer.json").then((bytes) => openTokenizer(base, bytes)),
    fetchOne(info.weights[dtype]).then((bytes) => openSessions(base, new Blob([bytes]), report)),
  ]);
  return new Model(info, dtype, tokenizer, sessions);
}

/** The object that `twinvec.runtime.pyodide` holds. */
class Model {
  #sessions;

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
  }

  /**
   * Run everything, each session taking the next run as it gets free.
   *
   * @param {Run[]} runs
   * @param {string} output
   * @returns {Promise<Output[]>}
   */
  async run(runs, output) {
    /** @type {Output[]} */
    const outputs = new Array(runs.length);
    let next = 0;
    const lane = async (/** @type {Client} */ session) => {
      while (next < runs.length) {
        const position = next++;
        const run = runs[position];
        const transfer = Object.values(run.inputs).map(({ buffer }) => buffer);
        outputs[position] = await session.request("run", { run, output }, { transfer });
      }
    };
    try {
      await Promise.all(this.#sessions.map(lane));
    } finally {
      next = runs.length; // after a failure the other lanes stop as well
    }
    return outputs;
  }

  dispose() {
    for (const session of this.#sessions) session.terminate();
  }
}

/**
 * @param {URL} base
 * @param {string | undefined} name
 * @param {string} dtype
 * @returns {Promise<ModelInfo>}
 */
async function findModel(base, name, dtype) {
  const url = new URL("models/manifest.json", base);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
  /** @type {{ models: ModelInfo[] }} */
  const { models } = await response.json();
  const info = name === undefined ? models[0] : models.find((model) => model.name === name);
  if (!info) {
    const names = models.map((model) => model.name).join(", ");
    throw named("ModelNotFoundError", `this site has no model ${name}; it has ${names}`);
  }
  if (!(dtype in info.weights)) {
    const dtypes = Object.keys(info.weights).join(", ");
    throw named("ModelNotFoundError", `${info.name} has no dtype ${dtype} here; it has ${dtypes}`);
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
  /** @type {WasmTokenizer} */
  const tokenizer = await Tokenizer.fromJSON(new TextEncoder().encode(JSON.stringify(core)).buffer);
  return {
    postProcessor: JSON.stringify(post_processor ?? null),
    encode: (/** @type {string} */ text) => tokenizer.encode(text),
  };
}

/**
 * @param {URL} base
 * @param {Blob} weights  shared by all session workers without a copy
 * @param {Report} report
 */
async function openSessions(base, weights, report) {
  const step = { name: "runtime", file: "onnxruntime-web" };
  report({ status: "initiate", ...step });
  const runtime = new URL("runtime/onnxruntime-web/", base).href;
  const count = Math.min(MOST_SESSIONS, navigator.hardwareConcurrency || 1);
  const clients = Array.from(
    { length: count },
    () => new Client(new Worker(new URL("session.js", base), { type: "module" })),
  );
  const [opened] = await Promise.all(
    clients.map((client) => client.request("open", { runtime, weights })),
  );
  report({ status: "done", ...step });
  return { clients, ...opened };
}

/**
 * Download a file with progress and check it against the manifest.
 *
 * Hashing needs a secure context (HTTPS or localhost), which browsers ask for; elsewhere only the
 * size is checked.
 *
 * @param {URL} url
 * @param {string} path
 * @param {{ bytes: number, sha256: string }} expected
 * @param {Report} report
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function fetchVerified(url, path, expected, report) {
  report({ status: "initiate" });
  const response = await fetch(url);
  if (!response.ok || !response.body) {
    throw named("DownloadError", `${path}: the server answered ${response.status} for ${url}`);
  }
  report({ status: "download" });
  const bytes = new Uint8Array(expected.bytes);
  let loaded = 0;
  let reported = -1;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (loaded + part.value.length <= bytes.length) bytes.set(part.value, loaded);
    loaded += part.value.length;
    const progress = (100 * loaded) / bytes.length;
    if (Math.floor(progress) > reported) {
      reported = Math.floor(progress);
      report({ status: "progress", progress, loaded, total: bytes.length });
    }
  }
  if (loaded !== bytes.length) {
    const sizes = `expected ${bytes.length} bytes, found ${loaded}`;
    throw named("IntegrityError", `${path}: ${sizes}. Reload the page, or build the site again.`);
  }
  if (crypto.subtle) {
    const found = hex(await crypto.subtle.digest("SHA-256", bytes));
    if (found !== expected.sha256) {
      const hashes = `expected ${expected.sha256}, found ${found}`;
      throw named(
        "IntegrityError",
        `${path}: SHA-256 mismatch: ${hashes}. Reload the page, or build the site again.`,
      );
    }
  }
  report({ status: "done" });
  return bytes;
}

/** @param {ArrayBuffer} buffer */
function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} name
 * @param {string} message
 */
function named(name, message) {
  return Object.assign(new Error(message), { name });
}
