/**
 * Open the index of a search box, with the model that the index was built with.
 *
 * @import { ModelInfo, Progress } from "../wire/types.js"
 * @import { Extractor } from "../api/extractor.js"
 * @import { SearchIndex } from "../api/search-index.js"
 * @typedef {{ extractor: Extractor, index: SearchIndex }} Opened
 */

import { folderAddress, HOME } from "../api/addresses.js";
import { fetchJson } from "../storage/download.js";
import { pipeline } from "../twinvec.js";

/**
 * The pipelines of this page by their options; search boxes with the same model share one.
 *
 * @type {Map<string, Promise<Extractor>>}
 */
const pipelines = new Map();

/** Values of `PerformanceResourceTiming.initiatorType` for requests that scripts made. */
const SCRIPT_INITIATORS = ["fetch", "xmlhttprequest", "beacon"];

/**
 * @param {{ index: string, base: string | null, offline: boolean }} attributes  `index` and `base`
 *   are relative to the page; `base` null stands for the folder of twinvec's own scripts
 * @param {(progress: Progress) => void} report
 * @returns {Promise<Opened>}
 * @throws {TypeError} if `base` is of another origin
 */
export async function openIndex({ index: location, base, offline }, report) {
  const folder = folderAddress(base ?? HOME);
  if (folder.origin !== origin) {
    throw new TypeError(
      `twinvec's folder must be on the page's own origin, ${origin}, but it is ${folder}: browsers ` +
        "start no workers of another origin. Copy the folder to this site, and set the attribute " +
        "base to its address.",
    );
  }
  if (offline) await serveOffline(folder);
  const address = folderAddress(location);
  const manifest = new URL("index.json", address);
  const { fingerprint = {} } = await fetchJson(manifest, { cache: "no-cache" });
  const extractor = await sharePipeline(await findModel(fingerprint, folder), report);
  const index = await extractor.openIndex(address);
  if (offline) index.keepOffline().catch(console.warn);
  return { extractor, index };
}

/**
 * Find the model and the weights that an index was built with. If the site has no such model, the
 * site's first one is opened, which refuses the index with the reason.
 *
 * @param {Record<string, any>} fingerprint
 * @param {URL} folder
 */
async function findModel(fingerprint, folder) {
  const base = folder.href;
  const manifest = new URL("models/manifest.json", folder);
  const { models } = await fetchJson(manifest, { cache: "no-cache" });
  const { model, weights_sha256: sha256, max_length, dim } = fingerprint;
  /** @type {ModelInfo | undefined} */
  const info = models.find((/** @type {ModelInfo} */ { name }) => name === model);
  if (!info) return { base };
  const weights = Object.entries(info.weights);
  const [dtype] = weights.find(([, file]) => info.files[file]?.sha256 === sha256) ?? [];
  return { base, model, dtype, max_length, truncate_dim: dim === info.dim ? undefined : dim };
}

/**
 * @param {{ base: string, model?: string, dtype?: string }} options
 * @param {(progress: Progress) => void} progress_callback
 * @returns {Promise<Extractor>}
 */
async function sharePipeline({ model, ...options }, progress_callback) {
  const key = JSON.stringify({ model, ...options });
  const earlier = pipelines.get(key);
  const extractor = await earlier?.catch(() => undefined);
  if (extractor && !extractor.ended) return extractor;
  // Another box may have waited for the same pipeline, and replaced it first.
  const replacement = pipelines.get(key);
  if (replacement && replacement !== earlier) return replacement;
  const opening = pipeline("feature-extraction", model, { ...options, progress_callback });
  pipelines.set(key, opening);
  return opening;
}

/**
 * Register the service worker, which answers for twinvec's own files, and for the page if it lies
 * below them, without a connection.
 *
 * @param {URL} folder
 */
async function serveOffline(folder) {
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", folder));
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    while (worker && worker.state !== "activated" && worker.state !== "redundant") {
      await new Promise((resolve) =>
        worker.addEventListener("statechange", resolve, { once: true }),
      );
    }
    // The worker missed the files that were loaded before it was there.
    const entries = /** @type {PerformanceResourceTiming[]} */ (
      performance.getEntriesByType("resource")
    );
    const loaded = entries.filter(
      ({ initiatorType }) => !SCRIPT_INITIATORS.includes(initiatorType),
    );
    registration.active?.postMessage([document.URL, ...loaded.map(({ name }) => name)]);
  } catch (error) {
    console.warn(`twinvec: searching without a connection is not possible here: ${error}`);
  }
}
