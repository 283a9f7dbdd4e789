/**
 * What a search box opens: an index by its address, and the model that it was built with.
 *
 * @import { ModelInfo, Progress } from "../wire/types.js"
 * @import { Extractor } from "../api/pipeline.js"
 * @import { SearchIndex } from "../api/search-index.js"
 * @typedef {{ extractor: Extractor, index: SearchIndex }} Opened
 */

import { HOME } from "../api/home.js";
import { fetchJson } from "../storage/download.js";
import { pipeline } from "../twinvec.js";

/**
 * The pipelines of this page, shared by its search boxes, by what they were opened with.
 *
 * @type {Map<string, Promise<Extractor>>}
 */
const pipelines = new Map();

/** As `PerformanceResourceTiming.initiatorType` calls what scripts ask for. */
const BY_SCRIPTS = ["fetch", "xmlhttprequest", "beacon"];

/**
 * @param {{ base: string | null, index: string, offline: boolean }} asked  addresses as the page
 *   has them; twinvec's folder is that of the script unless given
 * @param {(progress: Progress) => void} report
 * @returns {Promise<Opened>}
 */
export async function open({ base, index: location, offline }, report) {
  const folder = withSlash(new URL(base ?? HOME, document.baseURI));
  if (folder.origin !== origin) {
    const way = "Put the folder on this site, and name it with the attribute base.";
    throw new TypeError(
      `twinvec's folder must be on the page's own origin, ${origin}, which ${folder} is not: ` +
        `browsers start no workers of another. ${way}`,
    );
  }
  const address = new URL(location, document.baseURI);
  if (offline) await serveOffline(folder);
  const file = new URL("index.json", withSlash(address));
  const { fingerprint = {} } = await fetchJson(file, { cache: "no-cache" });
  const extractor = await shared(await suiting(fingerprint, folder), report);
  const index = await extractor.openIndex(address);
  if (offline) index.keepOffline().catch(console.warn);
  return { extractor, index };
}

/**
 * Find the model and the weights that an index was built with.
 *
 * @param {Record<string, any>} fingerprint
 * @param {URL} base
 */
async function suiting(fingerprint, base) {
  const manifest = new URL("models/manifest.json", base);
  const { models } = await fetchJson(manifest, { cache: "no-cache" });
  const { model, weights_sha256: sha256, max_length, dim } = fingerprint;
  /** @type {ModelInfo | undefined} */
  const info = models.find((/** @type {{ name: string }} */ { name }) => name === model);
  const [dtype] =
    Object.entries(info?.weights ?? {}).find(([, file]) => info?.files[file]?.sha256 === sha256) ??
    [];
  const limits = { max_length, truncate_dim: dim === info?.dim ? undefined : dim };
  // Where nothing suits, the site's default is loaded, and refused with the reason.
  return info ? { base: base.href, model, dtype, ...limits } : { base: base.href };
}

/**
 * @param {{ base: string, model?: string, dtype?: string }} options
 * @param {(progress: Progress) => void} progress_callback
 * @returns {Promise<Extractor>}
 */
async function shared({ model, ...options }, progress_callback) {
  const key = JSON.stringify({ model, ...options });
  const before = pipelines.get(key);
  const found = await before?.catch(() => undefined);
  if (found && !found.ended) return found;
  const meanwhile = pipelines.get(key); // another box may have waited for the same one
  if (meanwhile && meanwhile !== before) return meanwhile;
  const opening = pipeline("feature-extraction", model, { ...options, progress_callback });
  pipelines.set(key, opening);
  return opening;
}

/**
 * Let twinvec's own files, and the page's if they lie below it, be answered without a connection.
 *
 * @param {URL} base
 */
async function serveOffline(base) {
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", base));
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    while (worker && worker.state !== "activated" && worker.state !== "redundant") {
      await new Promise((resolve) =>
        worker.addEventListener("statechange", resolve, { once: true }),
      );
    }
    const entries = /** @type {PerformanceResourceTiming[]} */ (
      performance.getEntriesByType("resource")
    );
    const loaded = entries.filter(({ initiatorType }) => !BY_SCRIPTS.includes(initiatorType));
    registration.active?.postMessage([document.URL, ...loaded.map(({ name }) => name)]);
  } catch (error) {
    console.warn(`twinvec: searching without a connection is not possible here: ${error}`);
  }
}

/** @param {URL} url */
function withSlash(url) {
  return new URL(url.href.replace(/\/*$/, "/"));
}
