/**
 * Fetch files of this site. Errors name the file and say how to go on.
 *
 * @import { ModelFile, Progress } from "../wire/types.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { namedError } from "../wire/errors.js";
import { recall, sha256Of } from "./cache.js";

/**
 * @param {URL} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function fetchFile(url, options) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw namedError("DownloadError", `${url} cannot be reached (${error}); check the connection`);
  }
  if (response.ok) return response;
  const advice = "is the whole folder that was built on the server?";
  throw namedError("DownloadError", `${url}: the server answered ${response.status}; ${advice}`);
}

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
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { headers });
  } catch {
    return undefined; // the caller fetches the whole file, which reports the error
  }
  if (response.status === 206) {
    const content = new Uint8Array(await response.arrayBuffer());
    return content.length === stop - start ? content : undefined;
  }
  await response.body?.cancel();
  return undefined;
}

/**
 * @param {URL} url
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function fetchJson(url, options) {
  const response = await fetchFile(url, options);
  try {
    return await response.json();
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
  const response = await fetchFile(new URL(file.url), options);
  report({ status: "download" });
  const content = await readBody(response, file, report);
  await verify(file, content);
  report({ status: "done" });
  return content;
}

/**
 * Read a response's body, and report each full per cent.
 *
 * @param {Response} response
 * @param {ModelFile} file
 * @param {Report} report
 */
async function readBody(response, { path, bytes: total }, report) {
  const content = new Uint8Array(total);
  let loaded = 0;
  let percent = -1;
  try {
    for await (const chunk of chunksOf(response)) {
      if (loaded + chunk.length <= total) content.set(chunk, loaded);
      loaded += chunk.length;
      const progress = (100 * loaded) / total;
      if (Math.floor(progress) === percent) continue;
      percent = Math.floor(progress);
      report({ status: "progress", progress, loaded, total });
    }
  } catch (error) {
    const reason = `was interrupted after ${loaded} of ${total} bytes (${error})`;
    throw namedError("DownloadError", `${path}: the download ${reason}. Reload the page.`);
  }
  if (loaded !== total) throw integrityError(path, "", `${total} bytes`, `${loaded} bytes`);
  return content;
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
 */
async function* chunksOf(response) {
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
