/**
 * Service worker: answers for this site's files without a connection.
 *
 * The network comes first, so that a rebuilt site is seen at once; its answers are kept for times
 * without a connection. Models and shards of indexes are not among them: `storage/cache.js` keeps
 * those under their hashes. Of the files that scripts fetch only twinvec's own are kept, because a
 * site's own scripts may fetch files that are meant for one visitor.
 *
 * An answer is not kept if a host seems to have sent a page in place of a file, or if the file is
 * listed in the site's `manifest.json` with another hash: the earlier file stays.
 */

import { sha256Of } from "./storage/cache.js";

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const CACHE = "twinvec-site";

/** Addresses of files that `storage/cache.js` keeps. */
const HASHED = /\/models\/.*\/|-[0-9a-f]{16}\.(npy|jsonl)$/;

/** Paths below this worker's folder that twinvec's scripts fetch. */
const OWN_FETCHES = /^runtime\/|^(models\/)?manifest\.json$|(^|\/)index\.json$/;

/** Ends of addresses, and the content types that their files have. */
const TYPES = /** @type {[RegExp, RegExp][]} */ ([
  [/\.m?js$/, /javascript/i],
  [/\.wasm$/, /^application\/wasm/i],
  [/\.(css|json|svg|zip)$/, /^(?!text\/html)/i],
]);

/**
 * The files that the site's `manifest.json` lists: path -> SHA-256.
 *
 * @type {Promise<Map<string, string>> | undefined}
 */
let listing;

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const byPage = request.destination !== ""; // empty for requests of scripts
  if (isEligible(request) && (byPage || isOwnFetch(request))) event.respondWith(answer(event));
});

// A page sends the addresses of files that it loaded before this worker was active.
worker.addEventListener("message", (event) => {
  const requests = event.data.map((/** @type {string} */ url) => new Request(url));
  const fetchAndKeep = async (/** @type {Request} */ request) =>
    keep(request, await fetch(request));
  event.waitUntil(Promise.allSettled(requests.filter(isEligible).map(fetchAndKeep)));
});

/** @param {Request} request */
function isEligible({ method, url, headers }) {
  const inScope = url.startsWith(worker.registration.scope);
  const isWhole = method === "GET" && !headers.has("Range");
  return inScope && isWhole && !HASHED.test(new URL(url).pathname);
}

/** @param {Request} request */
function isOwnFetch(request) {
  return OWN_FETCHES.test(keyOf(request).slice(worker.registration.scope.length));
}

/** @param {FetchEvent} event */
async function answer(event) {
  const { request } = event;
  try {
    const response = await fetch(request);
    const copy = response.clone();
    event.waitUntil(keep(request, copy));
    return response;
  } catch (error) {
    for (const key of equivalentKeys(request)) {
      const cached = await caches.match(key, { cacheName: CACHE });
      if (cached) return cached;
    }
    throw error;
  }
}

/**
 * Return the key of a response: the address without its query, which does not matter to static
 * files.
 *
 * @param {Request} request
 */
function keyOf({ url }) {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/**
 * Return the keys of the same page: a folder and its `index.html`.
 *
 * @param {Request} request
 */
function equivalentKeys(request) {
  const key = keyOf(request);
  return [key, key.endsWith("/") ? `${key}index.html` : key.replace(/\/index\.html$/, "/")];
}

/**
 * @param {Request} request
 * @param {Response} response
 */
async function keep(request, response) {
  if (response.status !== 200 || !hasType(request, response)) return response.body?.cancel();
  const cache = await caches.open(CACHE);
  const cached = await cache.match(keyOf(request));
  if (cached && isSameVersion(cached, response)) return response.body?.cancel();
  if (!(await isIntact(request, response.clone()))) return response.body?.cancel();
  return cache.put(keyOf(request), response).catch(() => {}); // a full disk: the old one stays
}

/**
 * @param {Response} a
 * @param {Response} b
 */
function isSameVersion(a, b) {
  const [tag, date] = ["ETag", "Last-Modified"].map((name) => a.headers.get(name));
  if (tag) return tag === b.headers.get("ETag");
  return date != null && date === b.headers.get("Last-Modified");
}

/**
 * Check that an answer has the content type that the address's end stands for.
 *
 * @param {Request} request
 * @param {Response} response
 */
function hasType(request, { headers }) {
  const [, type] = TYPES.find(([end]) => end.test(keyOf(request))) ?? [];
  return !type || type.test(headers.get("Content-Type") ?? "");
}

/**
 * Compare an answer with the hash in the site's manifest; files that it does not list pass.
 *
 * @param {Request} request
 * @param {Response} response
 * @returns {Promise<boolean>}  false also if the manifest cannot be read
 */
async function isIntact(request, response) {
  const path = keyOf(request).slice(worker.registration.scope.length) || "index.html";
  const sha256 = await sha256Of(new Uint8Array(await response.arrayBuffer()));
  const matches = async () => {
    listing ??= fetchListing();
    return ((await listing).get(path) ?? sha256) === sha256;
  };
  try {
    if (await matches()) return true;
    listing = undefined; // the site may have been rebuilt
    return await matches();
  } catch {
    listing = undefined;
    return false;
  }
}

/** @returns {Promise<Map<string, string>>} */
async function fetchListing() {
  const url = new URL("manifest.json", worker.registration.scope);
  const { files } = await (await fetch(url, { cache: "no-cache" })).json();
  return new Map(Object.entries(files).map(([path, { sha256 }]) => [path, sha256]));
}
