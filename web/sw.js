/**
 * Service worker: this site's files without a connection.
 *
 * The network comes first, so that a rebuilt site is never missed; what it gave is kept for when
 * it is not there. Models and the shards of indexes are kept elsewhere, by `download.js`, under
 * their hashes. Of what scripts fetch only twinvec's own files are kept: what a site's own scripts
 * ask for may be meant for one visitor.
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const KEPT = "twinvec-site";
const ELSEWHERE = /\/models\/.*\/|-[0-9a-f]{16}\.(npy|jsonl)$/;
/** What twinvec fetches of what is kept here, in the folder of this worker. */
const FETCHED = /^runtime\/|^models\/manifest\.json$|(^|\/)index\.json$/;

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (isOurs(request) && (request.destination !== "" || isFetched(request))) {
    event.respondWith(answer(event));
  }
});

// A page names what it and its elements loaded before this worker was there.
worker.addEventListener("message", (event) => {
  const requests = event.data.map((/** @type {string} */ url) => new Request(url));
  const ours = requests.filter(isOurs);
  event.waitUntil(
    Promise.allSettled(
      ours.map(async (/** @type {Request} */ request) => remember(request, await fetch(request))),
    ),
  );
});

/** @param {Request} request */
function isOurs({ method, url, headers }) {
  const inScope = url.startsWith(worker.registration.scope);
  return (
    inScope && method === "GET" && !headers.has("Range") && !ELSEWHERE.test(new URL(url).pathname)
  );
}

/** @param {Request} request */
function isFetched(request) {
  return FETCHED.test(nameOf(request).slice(worker.registration.scope.length));
}

/** @param {FetchEvent} event */
async function answer(event) {
  const { request } = event;
  try {
    const response = await fetch(request);
    const copy = response.clone();
    event.waitUntil(remember(request, copy));
    return response;
  } catch (error) {
    for (const name of namesOf(request)) {
      const kept = await caches.match(name, { cacheName: KEPT });
      if (kept) return kept;
    }
    throw error;
  }
}

/**
 * What a response is kept by: an address without its query, which of a static file says nothing.
 *
 * @param {Request} request
 */
function nameOf({ url }) {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/**
 * A folder and its `index.html` are the same page.
 *
 * @param {Request} request
 */
function namesOf(request) {
  const name = nameOf(request);
  return [name, name.endsWith("/") ? `${name}index.html` : name.replace(/\/index\.html$/, "/")];
}

/**
 * @param {Request} request
 * @param {Response} response
 */
async function remember(request, response) {
  if (response.status !== 200) return response.body?.cancel();
  const cache = await caches.open(KEPT);
  const kept = await cache.match(nameOf(request));
  if (kept && isSame(kept, response)) return response.body?.cancel();
  return cache.put(nameOf(request), response).catch(() => {}); // a full disk keeps what was there
}

/**
 * @param {Response} one
 * @param {Response} other
 */
function isSame(one, other) {
  const [tag, date] = ["ETag", "Last-Modified"].map((name) => one.headers.get(name));
  if (tag) return tag === other.headers.get("ETag");
  return date != null && date === other.headers.get("Last-Modified");
}
