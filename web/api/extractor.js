/**
 * The function that `pipeline` returns: it embeds texts, and opens indexes of the same model.
 *
 * @import { Document, Progress, Section, Versions } from "../wire/types.js"
 * @import { WorkerMethods } from "../wire/protocol.js"
 * @import { Client } from "../wire/client.js"
 */

import { folderAddress } from "./addresses.js";
import { asList, checkOptions } from "./options.js";
import { SearchIndex } from "./search-index.js";
import { Tensor } from "./tensor.js";

/**
 * @typedef {object} ExtractorOptions
 * @property {"none" | "mean" | "cls" | "first_token" | "last_token" | "eos"} [pooling]  "none", one
 *   vector a token, by default
 * @property {boolean} [normalize]  scale to unit length; false by default
 * @property {string} [prompt]  put before each text, such as `versions.fingerprint.query_prompt`
 * @property {boolean} [quantize]  return one bit a dimension
 * @property {"binary" | "ubinary"} [precision]  of quantized vectors: int8 (the default) or uint8
 * @property {(progress: Progress) => void} [progress_callback]  called after each text
 * @property {AbortSignal} [signal]  ends this call; other calls go on
 *
 * @typedef {string | URL | { stored: string } | Blob} IndexSource
 *   An address, the name under which `index.save` keeps an index in this browser, or a file that
 *   `index.export` returned.
 *
 * @typedef {{ progress_callback?: (progress: Progress) => void }} OpenIndexOptions
 *   `progress_callback` reports the bytes of vectors.
 *
 * @typedef {object} ExtractorMembers
 * @property {Versions} versions  the model and the runtime in use
 * @property {(source: IndexSource, options?: OpenIndexOptions) => Promise<SearchIndex>} openIndex
 * @property {() => Promise<SearchIndex>} createIndex  an empty index
 * @property {(source: string, sections: Section[]) => Promise<Document[]>} passages  cut a file
 *   into passages that the model does not truncate, as `twinvec index` does; `source` is its name
 * @property {(texts: string | string[]) => Promise<number[]>} countTokens  of each text; special
 *   tokens and those beyond `versions.fingerprint.max_length` count too
 * @property {(texts: string | string[]) => Promise<Int32Array[]>} tokenIds  of each text, as the
 *   model takes them: with special tokens, and without those beyond the limit
 * @property {boolean} ended  true once the workers ended; every later call is refused
 * @property {() => Promise<void>} dispose  end the workers and free their memory
 *
 * @typedef {((texts: string | string[], options?: ExtractorOptions) => Promise<Tensor>)
 *   & ExtractorMembers} Extractor
 */

/**
 * Create the extractor of a worker that has a model open.
 *
 * @param {Client<WorkerMethods>} worker
 * @param {Versions} versions
 * @returns {Extractor}
 */
export function createExtractor(worker, versions) {
  /** @type {Omit<ExtractorMembers, "ended">} */
  const members = {
    versions,
    openIndex: (source, options) => openIndex(worker, source, options),
    createIndex: async () => new SearchIndex(worker, await worker.request("createIndex", {})),
    passages: (source, sections) => worker.request("passages", { source, sections }),
    countTokens: (texts) => worker.request("countTokens", { texts: asList(texts) }),
    tokenIds: (texts) => tokenIds(worker, asList(texts)),
    dispose: async () => worker.terminate(),
  };
  /** @type {(texts: string | string[], options?: ExtractorOptions) => Promise<Tensor>} */
  const extractor = (texts, options) => embed(worker, texts, options);
  Object.assign(extractor, members);
  Object.defineProperty(extractor, "ended", { get: () => worker.ended !== null });
  return /** @type {Extractor} */ (extractor);
}

/**
 * @param {Client<WorkerMethods>} worker
 * @param {string | string[]} texts
 * @param {ExtractorOptions} [options]
 */
async function embed(worker, texts, options) {
  const checked = checkOptions("the extractor", options, [
    "pooling",
    "normalize",
    "prompt",
    "quantize",
    "precision",
    "progress_callback",
    "signal",
  ]);
  const { pooling = "none", normalize = false, prompt = "", quantize = false } = checked;
  const precision = quantize ? (checked.precision ?? "binary") : "float32";
  const params = { texts: asList(texts), prompt, pooling, normalize, precision };
  const { progress_callback: onProgress = () => {}, signal } = checked;
  const { dims, data } = await worker.request("embed", params, {
    onProgress,
    signal,
    inTurn: true,
  });
  return new Tensor([...dims], data);
}

/**
 * @param {Client<WorkerMethods>} worker
 * @param {string[]} texts
 */
async function tokenIds(worker, texts) {
  const { ids, lengths } = await worker.request("tokenIds", { texts });
  let end = 0;
  return Array.from(lengths, (length) => ids.slice(end, (end += length)));
}

/**
 * @param {Client<WorkerMethods>} worker
 * @param {IndexSource} source
 * @param {OpenIndexOptions} [options]
 */
async function openIndex(worker, source, options) {
  const { progress_callback: onProgress = () => {} } = checkOptions("openIndex", options, [
    "progress_callback",
  ]);
  if (source instanceof Blob) {
    const file = await source.arrayBuffer();
    const request = { onProgress, transfer: [file] };
    return new SearchIndex(worker, await worker.request("importIndex", { file }, request));
  }
  if (typeof source === "object" && "stored" in source) {
    const url = `stored:${source.stored}`;
    return new SearchIndex(worker, await worker.request("openIndex", { url }, { onProgress }));
  }
  const url = folderAddress(source).href;
  return new SearchIndex(worker, await worker.request("openIndex", { url }, { onProgress }), url);
}
