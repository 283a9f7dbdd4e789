/**
 * twinvec's JavaScript API: the part of Transformers.js that embeds text, answered by Python.
 *
 * All work happens in workers; the page is never blocked.
 *
 * @import { Document, Hit, Metadata, OpenedIndex, Progress, Section, Versions, WorkerMethods } from "./protocol.js"
 */

import { Client } from "./client.js";

export { listStored, removeStored } from "./stored.js";

/** Where twinvec's own files are: the folder of this module, unless `base` says otherwise. */
const HERE = new URL("./", import.meta.url).href;

/**
 * A dense array.
 *
 * `dims` its shape, `type` "float32", or "int8" or "uint8" where vectors were quantized, `data` its
 * elements in row-major order, `size` how many there are.
 */
export class Tensor {
  /**
   * @param {number[]} dims
   * @param {Float32Array | Int8Array | Uint8Array} data
   */
  constructor(dims, data) {
    this.dims = dims;
    this.type = data.constructor.name.replace("Array", "").toLowerCase();
    this.data = data;
    this.size = data.length;
  }

  /**
   * Copy into nested arrays, one level a dimension.
   *
   * @returns {any[]}
   */
  tolist() {
    /** @type {any[]} */
    let list = Array.from(this.data);
    for (const length of this.dims.slice(1).reverse()) {
      const rows = length === 0 ? 0 : list.length / length;
      list = Array.from({ length: rows }, (_, row) => list.slice(row * length, (row + 1) * length));
    }
    return list;
  }
}

/**
 * @typedef {object} PipelineOptions
 * @property {string} [dtype]  which weights, the site's first unless given
 * @property {((progress: Progress) => void) | null} [progress_callback]
 * @property {string} [base]  address of the folder that twinvec was built into
 * @property {number} [max_length]  tokens that a text may have; the model's own limit unless given
 * @property {number} [truncate_dim]  keep the first so many dims, of models trained for it
 * @property {boolean} [self_check]  compare a vector with CPython's before anything else; a
 *   difference beyond the dtype's bound is a ParityError. True unless given
 * @property {"wasm" | "webgpu"} [device]  what computes. WASM, the reference, unless given. WebGPU
 *   needs a site that was built with it, and the self-check: where no adapter is found or a vector
 *   differs, there is a warning, and WASM computes; `versions.device` says which
 *
 * @typedef {object} ExtractorOptions
 * @property {"none" | "mean" | "cls" | "first_token" | "last_token" | "eos"} [pooling]
 * @property {boolean} [normalize]
 * @property {string} [prompt]  put before every text, such as `versions.fingerprint.query_prompt`
 * @property {boolean} [quantize]  give one bit a dimension
 * @property {(progress: Progress) => void} [progress_callback]  told after each text
 * @property {AbortSignal} [signal]  ends the call; other calls go on
 * @property {"binary" | "ubinary"} [precision]  whether these come as int8 or uint8
 *
 * @typedef {object} ExtractorMembers
 * @property {Versions} versions  which model and runtime answer
 * @property {(source: string | URL | { stored: string } | Blob,
 *   options?: { progress_callback?: (progress: Progress) => void }) => Promise<SearchIndex>} openIndex
 *   of an address, of what `index.save(name)` keeps in this browser, or of a file that
 *   `index.export()` gave; told of the bytes of its vectors
 * @property {() => Promise<SearchIndex>} createIndex  an empty one
 * @property {(source: string, sections: Section[]) => Promise<Document[]>} passages  cut a file to
 *   what the model takes whole, as `twinvec index` does; `source` is its name
 * @property {(texts: string | string[]) => Promise<number[]>} countTokens  of each text, special
 *   ones and those beyond `versions.fingerprint.max_length` included
 * @property {boolean} ended  whether the workers ended, so that nothing can be asked any more
 * @property {() => Promise<void>} dispose  end the workers and give their memory back
 *
 * @typedef {((texts: string | string[], options?: ExtractorOptions) => Promise<Tensor>)
 *   & ExtractorMembers} Extractor
 */

/**
 * Load a model of this site.
 *
 * @param {string} task  "feature-extraction"
 * @param {string | null} [model]  a name in the site's `models/manifest.json`; its first one
 *   unless given
 * @param {PipelineOptions} [options]
 * @returns {Promise<Extractor>}
 */
export async function pipeline(task, model, options) {
  if (task !== "feature-extraction") {
    throw new TypeError(`twinvec has the task "feature-extraction", not ${JSON.stringify(task)}`);
  }
  const known = ["dtype", "device", "progress_callback", "base", "max_length", "truncate_dim"];
  const given = checkOptions("pipeline", options, [...known, "self_check"]);
  const { dtype, base = HERE, max_length, truncate_dim, self_check = true, device = "wasm" } = given;
  if (device !== "wasm" && device !== "webgpu") {
    throw new TypeError(`device must be "wasm" or "webgpu", not ${JSON.stringify(device)}`);
  }
  if (device === "webgpu" && !self_check) {
    throw new TypeError('the device "webgpu" needs the self-check, which finds out if it can be used');
  }
  const callback = given.progress_callback ?? (() => {});
  const folder = new URL(`${base}`.replace(/\/*$/, "/"), page()).href;
  /** @type {Client<WorkerMethods>} */
  const worker = new Client(new URL("worker.js", folder));
  /** @type {Versions} */
  let versions;
  try {
    const limits = { max_length, truncate_dim, self_check };
    const params = { base: folder, model: model ?? undefined, dtype, device, ...limits };
    versions = await worker.request("load", params, { onProgress: withTotal(callback) });
    callback({ status: "ready", task, model: versions.model });
  } catch (error) {
    worker.terminate();
    throw error;
  }

  /** @type {(texts: string | string[], options?: ExtractorOptions) => Promise<Tensor>} */
  const extract = async (texts, options) => {
    const known = ["pooling", "normalize", "prompt", "quantize", "precision"];
    const given = checkOptions("the extractor", options, [...known, "progress_callback", "signal"]);
    const { pooling = "none", normalize = false, prompt = "", quantize = false } = given;
    const precision = quantize ? (given.precision ?? "binary") : "float32";
    const params = { texts: asList(texts), prompt, pooling, normalize, precision };
    const { progress_callback: onProgress = () => {}, signal } = given;
    const { dims, data } = await worker.request("embed", params, { onProgress, signal });
    return new Tensor([...dims], data);
  };
  const members = {
    versions,
    openIndex: async (
      /** @type {string | URL | { stored: string } | Blob} */ source,
      /** @type {{ progress_callback?: (progress: Progress) => void } | undefined} */ options,
    ) => {
      const given = checkOptions("openIndex", options, ["progress_callback"]);
      const { progress_callback: onProgress = () => {} } = given;
      if (source instanceof Blob) {
        const file = await source.arrayBuffer();
        const opened = worker.request("importIndex", { file }, { onProgress, transfer: [file] });
        return new SearchIndex(worker, await opened);
      }
      const stored = typeof source === "object" && "stored" in source;
      const url = stored
        ? `stored:${source.stored}`
        : new URL(`${source}`.replace(/\/*$/, "/"), page()).href;
      const opened = await worker.request("openIndex", { url }, { onProgress });
      return new SearchIndex(worker, opened, stored ? undefined : url);
    },
    createIndex: async () => new SearchIndex(worker, await worker.request("createIndex", {})),
    passages: (/** @type {string} */ source, /** @type {Section[]} */ sections) =>
      worker.request("passages", { source, sections }),
    countTokens: (/** @type {string | string[]} */ texts) =>
      worker.request("countTokens", { texts: asList(texts) }),
    dispose: async () => worker.terminate(),
  };
  const ended = { get: () => worker.ended !== null };
  return /** @type {Extractor} */ (
    Object.defineProperty(Object.assign(extract, members), "ended", ended)
  );
}

/** An index that Python holds in the worker; see `openIndex`. */
export class SearchIndex {
  #worker;
  #handle;
  #url;
  #disposed = false;
  /**
   * The end of the last change.
   *
   * @type {Promise<unknown>}
   */
  #last = Promise.resolve();

  /**
   * @param {Client<WorkerMethods>} worker
   * @param {OpenedIndex} opened
   * @param {string} [url]
   */
  constructor(worker, { handle, size, lexical }, url) {
    this.#worker = worker;
    this.#handle = handle;
    this.#url = url;
    /** How many documents it has. */
    this.size = size;
    /** Whether it has terms, for the modes "lexical" and "hybrid". */
    this.lexical = lexical;
  }

  /**
   * Embed texts and append them.
   *
   * @param {string | string[]} texts
   * @param {{ ids?: string[], metadata?: Metadata[],
   *   progress_callback?: (progress: Progress) => void, signal?: AbortSignal }} [options]
   *   `ids` are the texts' positions unless given; aborted, it adds nothing
   * @returns {Promise<{ truncated: number }>}  how many of all texts that were added so far were too
   *   long for the model, and lost their tail
   */
  async add(texts, options) {
    const known = ["ids", "metadata", "progress_callback", "signal"];
    const given = checkOptions("add", options, known);
    const { ids, metadata, progress_callback: onProgress = () => {}, signal } = given;
    const params = { handle: this.#held(), texts: asList(texts), ids, metadata };
    const { truncated, size } = await this.#inTurn(() =>
      this.#worker.request("add", params, { onProgress, signal }),
    );
    this.size = size;
    return { truncated };
  }

  /**
   * Remove documents.
   *
   * @param {string[]} ids
   */
  async remove(ids) {
    const params = { handle: this.#held(), ids };
    const { size } = await this.#inTurn(() => this.#worker.request("remove", params));
    this.size = size;
  }

  /**
   * Keep the index in this browser, in place of what it keeps under this name; see `openIndex`,
   * `listStored` and `removeStored`. Where there is no room for it this is a StorageError. What was
   * opened by this name goes on with the new files.
   *
   * @param {string} name
   */
  async save(name) {
    const params = { handle: this.#held(), name };
    await this.#inTurn(() => this.#worker.request("saveIndex", params));
  }

  /**
   * Give the index as one file, which `openIndex` and, in Python, `Index.load("name.zip")` open.
   *
   * @returns {Promise<Blob>}
   */
  async export() {
    const params = { handle: this.#held() };
    const content = await this.#inTurn(() => this.#worker.request("exportIndex", params));
    return new Blob([content], { type: "application/zip" });
  }

  /**
   * Download all files of an index that was opened by its address, for visits without a
   * connection. Where they cannot be kept this is a StorageError.
   *
   * @param {{ progress_callback?: (progress: Progress) => void }} [options]  told of bytes
   */
  async keepOffline(options) {
    const given = checkOptions("keepOffline", options, ["progress_callback"]);
    const { progress_callback: onProgress = () => {} } = given;
    if (this.#url === undefined) throw new TypeError("this index was not opened by an address");
    await this.#worker.request("keepOffline", { url: this.#url }, { onProgress });
  }

  /**
   * Read documents in the index's order, as `slice` of an array of all would give them.
   *
   * @param {number} [start]
   * @param {number} [stop]
   * @returns {Promise<Document[]>}
   */
  async documents(start = 0, stop) {
    return this.#worker.request("documents", { handle: this.#held(), start, stop });
  }

  /**
   * Rank the documents for a query, best first.
   *
   * @param {string | Float32Array} query  a text, or a vector
   * @param {{ k?: number, filter?: Record<string, any>,
   *   mode?: "semantic" | "lexical" | "hybrid" }} [options]  `k` hits at most; `filter` keeps
   *   documents whose metadata have a value, or one of several, by key; `mode` ranks by meaning
   *   unless given, by the words of a text, or by both
   * @returns {Promise<Hit[]>}
   */
  async search(query, options) {
    const given = checkOptions("search", options, ["k", "filter", "mode"]);
    const { k = 10, filter, mode = "semantic" } = given;
    if (typeof query !== "string" && !(query instanceof Float32Array)) {
      throw new TypeError("query must be a string or a Float32Array");
    }
    if (!Number.isInteger(k) || k < 1) throw new TypeError(`k must be a whole number >= 1, not ${k}`);
    return this.#worker.request("search", { handle: this.#held(), query, k, filter, mode });
  }

  /** Give its memory back; what was asked of it before is still answered, and nothing after. */
  async dispose() {
    if (this.#disposed) return;
    const handle = this.#held();
    this.#disposed = true;
    await this.#inTurn(() => this.#worker.request("closeIndex", { handle }));
  }

  /**
   * Change or save it only when what was asked before is done, so that nothing added is missed.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #held() {
    if (this.#disposed) throw new TypeError("this index was disposed of; open it again");
    return this.#handle;
  }
}

/** What relative addresses are relative to, in a page or in a worker. */
function page() {
  return globalThis.document?.baseURI ?? location.href;
}

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 * @returns {number}
 */
export function dot(a, b) {
  if (a.length !== b.length) {
    throw new TypeError(`vectors of ${a.length} and ${b.length} dims are not comparable`);
  }
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += /** @type {number} */ (a[i]) * /** @type {number} */ (b[i]);
  }
  return sum;
}

/**
 * Cosine similarity; 0 where a vector is zero.
 *
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 * @returns {number}
 */
export function cos_sim(a, b) {
  const norms = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  return dot(a, b) / Math.max(norms, 1e-24);
}

/**
 * Follow every step with one event about all downloads together, as Transformers.js does.
 *
 * @param {(progress: Progress) => void} callback
 * @returns {(progress: Progress) => void}
 */
function withTotal(callback) {
  /** @type {Map<string, { loaded: number, total: number }>} */
  const files = new Map();
  return (event) => {
    callback(event);
    const { status, name, file = "", loaded, total } = event;
    if (loaded === undefined || total === undefined) return;
    files.set(file, { loaded, total });
    if (status !== "progress") return;
    const sum = { loaded: 0, total: 0 };
    for (const one of files.values()) {
      sum.loaded += one.loaded;
      sum.total += one.total;
    }
    const progress = (100 * sum.loaded) / sum.total;
    callback({ status: "progress_total", name, progress, ...sum, files: Object.fromEntries(files) });
  };
}

/**
 * @param {string | string[]} texts
 * @returns {string[]}
 */
function asList(texts) {
  if (typeof texts === "string") return [texts];
  if (!Array.isArray(texts)) throw new TypeError("texts must be a string or an array of strings");
  const position = texts.findIndex((text) => typeof text !== "string");
  if (position < 0) return texts;
  const found = texts[position] === null ? "null" : typeof texts[position];
  throw new TypeError(`texts[${position}] must be a string, not ${found}`);
}

/**
 * Refuse what would otherwise be ignored; null is as if it were not given.
 *
 * @template {object} T
 * @param {string} what
 * @param {T | null | undefined} options
 * @param {string[]} known
 * @returns {Partial<T>}  those that are given
 */
function checkOptions(what, options, known) {
  const entries = Object.entries(options ?? {});
  const unknown = entries.map(([key]) => key).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`${what} has no option ${unknown}; it has ${known.join(", ")}`);
  }
  const given = Object.fromEntries(entries.filter(([, value]) => value != null));
  return /** @type {Partial<T>} */ (given);
}
