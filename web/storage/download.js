/**
 * Fetch files of this site. Errors name the file and say how to go on.
 *
 * No more is read of an answer than was promised, and no answer is waited for that has fallen silent.
 *
 * @import { ModelFile, Progress } from "../wire/types.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { namedError } from "../wire/errors.js";
import { recall, sha256Of } from "./cache.js";

/** Time without a byte after which a download is given up. */
const MAX_SILENCE_SECONDS = 60;

/** Of a JSON file, whose size nothing promises; Python reads no larger `index.json` either. */
const MAX_JSON_BYTES = 2 ** 26;

/**
 * Fetch a range of a file's bytes.
 *
 * @param {URL} url
 * @param {number} start
 * @param {number} stop
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}  undefined if the server does not answer
 *   with exactly these bytes
 */
export async function fetchRange(url, start, stop) {
  const headers = { Range: `bytes=${start}-${stop - 1}` };
  try {
    return await request(url, { headers }, async ({ status }, chunks) => {
      if (status !== 206) return undefined;
      const content = new Uint8Array(stop - start);
      const loaded = await readInto(content, chunks);
      return loaded === content.length ? content : undefined;
    });
  } catch {
    return undefined; // the caller fetches the whole file, which reports the error
  }
}

/**
 * Ask for the content type of a file; the file itself is not downloaded.
 *
 * @param {URL} url
 * @returns {Promise<string>}  "" if the server names none
 */
export async function fetchType(url) {
  return request(url, undefined, async ({ headers }) => headers.get("Content-Type") ?? "");
}

/**
 * Fetch a file whose size nothing promises.
 *
 * @param {URL} url
 * @param {RequestInit} [options]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchSmall(url, options) {
  return request(url, options, async (response, chunks) => {
    checkStatus(url, response);
    const parts = [];
    let size = 0;
    for await (const chunk of chunks) {
      parts.push(chunk);
      size += chunk.length;
      if (size <= MAX_JSON_BYTES) continue;
      throw namedError("DownloadError", `${url} has more than ${MAX_JSON_BYTES} bytes`);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  });
}

/**
 * @param {URL} url
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function fetchJson(url, options) {
  const content = await fetchSmall(url, options);
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    const advice = "does the server answer missing files with a page of its own?";
    throw namedError("DownloadError", `${url} is not JSON; ${advice}`);
  }
}

/**
 * Read a file from the cache, or download it, and verify it.
 *
 * @param {ModelFile} file
 * @param {Report} onProgress
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchVerified(file, onProgress) {
  const report = (/** @type {Progress} */ progress) => onProgress({ file: file.path, ...progress });
  const cached = await recall(file);
  if (cached) {
    const { length } = cached;
    report({ status: "progress", progress: 100, loaded: length, total: length });
    report({ status: "done" });
    return cached;
  }
  try {
    return await download(file, report);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "IntegrityError") throw error;
    // After a rebuild of the site the browser's HTTP cache may still hold the older file.
    return download(file, report, { cache: "reload" });
  }
}

/**
 * @param {ModelFile} file
 * @param {Report} report
 * @param {RequestInit} [options]
 */
async function download(file, report, options) {
  const url = new URL(file.url);
  const { path, bytes: total } = file;
  const content = await request(url, options, async (response, chunks) => {
    checkStatus(url, response);
    report({ status: "download" });
    const content = new Uint8Array(total);
    const loaded = await readInto(content, chunks, percents(total, report));
    if (loaded === total) return content;
    const found = loaded > total ? "more" : `${loaded} bytes`;
    throw integrityError(path, "", `${total} bytes`, found);
  });
  await verify(file, content);
  report({ status: "done" });
  return content;
}

/**
 * Send a request and read its answer. What `read` leaves of the answer is not downloaded.
 *
 * @template T
 * @param {URL} url
 * @param {RequestInit | undefined} options
 * @param {(response: Response, chunks: AsyncIterable<Uint8Array<ArrayBuffer>>) => Promise<T>} read
 * @returns {Promise<T>}
 */
async function request(url, options, read) {
  const silence = watchSilence(url);
  const { signal } = silence;
  const explain = (/** @type {unknown} */ error, /** @type {string} */ problem) =>
    signal.aborted ? signal.reason : namedError("DownloadError", problem.replace("%", `${error}`));
  async function* chunks(/** @type {Response} */ response) {
    let loaded = 0;
    try {
      for await (const chunk of chunksOf(response)) {
        silence.end();
        loaded += chunk.length;
        yield chunk;
      }
    } catch (error) {
      const problem = `the download was interrupted after ${loaded} bytes (%)`;
      throw explain(error, `${url}: ${problem}. Reload the page.`);
    }
  }
  try {
    const response = await fetch(url, { ...options, signal }).catch((error) => {
      throw explain(error, `${url} cannot be reached (%); check the connection`);
    });
    silence.end();
    return await read(response, chunks(response));
  } finally {
    silence.stop();
  }
}

/**
 * Abort a request whose server sends nothing for too long.
 *
 * @param {URL} url
 */
function watchSilence(url) {
  const controller = new AbortController();
  const problem = `the server has sent nothing for ${MAX_SILENCE_SECONDS} seconds`;
  const error = namedError("DownloadError", `${url}: ${problem}; try again later`);
  let ticks = 0;
  const timer = setInterval(() => {
    // At the first tick, bytes may be waiting for a worker that was busy.
    if (++ticks === 2) controller.abort(error);
  }, 500 * MAX_SILENCE_SECONDS);
  return {
    signal: controller.signal,
    end: () => (ticks = 0),
    stop: () => {
      clearInterval(timer);
      controller.abort(error); // the rest of the answer is not downloaded
    },
  };
}

/**
 * @param {URL} url
 * @param {Response} response
 */
function checkStatus(url, { ok, status }) {
  if (ok) return;
  const advice = "is the whole folder that was built on the server?";
  throw namedError("DownloadError", `${url}: the server answered ${status}; ${advice}`);
}

/**
 * Read a body into an array, at most one chunk beyond its end.
 *
 * @param {Uint8Array<ArrayBuffer>} content
 * @param {AsyncIterable<Uint8Array<ArrayBuffer>>} chunks
 * @param {(loaded: number) => void} [report]  called with the bytes so far
 * @returns {Promise<number>}  bytes that were read
 */
async function readInto(content, chunks, report = () => {}) {
  let loaded = 0;
  for await (const chunk of chunks) {
    if (loaded + chunk.length > content.length) return loaded + chunk.length;
    content.set(chunk, loaded);
    loaded += chunk.length;
    report(loaded);
  }
  return loaded;
}

/**
 * Report each full per cent.
 *
 * @param {number} total  bytes
 * @param {Report} report
 * @returns {(loaded: number) => void}
 */
function percents(total, report) {
  let percent = -1;
  return (loaded) => {
    const progress = (100 * loaded) / total;
    if (Math.floor(progress) === percent) return;
    percent = Math.floor(progress);
    report({ status: "progress", progress, loaded, total });
  };
}

/**
 * Compare a file's hash with the manifest's. Browsers hash in a secure context only (HTTPS or
 * localhost).
 *
 * @param {ModelFile} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function verify({ path, sha256 }, content) {
  if (!crypto.subtle) return;
  const actual = await sha256Of(content);
  if (actual !== sha256) throw integrityError(path, "SHA-256 mismatch: ", sha256, actual);
}

/**
 * @param {string} file
 * @param {string} problem
 * @param {string} expected
 * @param {string} actual
 */
function integrityError(file, problem, expected, actual) {
  const advice = "Clear this site's cached data and reload, or build the site again.";
  const message = `${file}: ${problem}expected ${expected}, found ${actual}. ${advice}`;
  // Python raises the same error from these fields.
  return Object.assign(namedError("IntegrityError", message), { file, expected, found: actual });
}

/**
 * Iterate over a response's body; not every browser can iterate a stream itself.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
async function* chunksOf(response) {
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
