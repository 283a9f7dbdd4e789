/**
 * Load a model and embed texts with it: the part of Transformers.js that embeds text, answered by
 * Python.
 *
 * @import { Document, Progress, Section, Versions } from "../wire/types.js"
 * @import { WorkerMethods } from "../wire/protocol.js"
 */

import { Client } from "../wire/client.js";
import { HOME } from "./home.js";
import { asList, checkOptions, page } from "./options.js";
import { SearchIndex } from "./search-index.js";
import { Tensor } from "./tensor.js";

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
  const {
    dtype,
    base = HOME,
    max_length,
    truncate_dim,
    self_check = true,
    device = "wasm",
  } = given;
  if (device !== "wasm" && device !== "webgpu") {
    throw new TypeError(`device must be "wasm" or "webgpu", not ${JSON.stringify(device)}`);
  }
  if (device === "webgpu" && !self_check) {
    throw new TypeError(
      'the device "webgpu" needs the self-check, which finds out if it can be used',
    );
  }
  const callback = given.progress_callback ?? (() => {});
  const folder = new URL(`${base}`.replace(/\/*$/, "/"), page()).href;
  /** @type {Client<WorkerMethods>} */
  const worker = new Client(new URL("workers/python.js", folder));
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
    callback({
      status: "progress_total",
      name,
      progress,
      ...sum,
      files: Object.fromEntries(files),
    });
  };
}
