/**
 * Fetch files of this site; what goes wrong names the file and the way out.
 *
 * @import { ModelFile, Progress } from "../wire/types.js"
 */

import { named } from "../wire/client.js";
import { hashOf, recall } from "./cache.js";

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
    throw named("DownloadError", `${url} cannot be reached (${error}); check the connection`);
  }
  if (response.ok) return response;
  const way = "is the whole folder that was built on the server?";
  throw named("DownloadError", `${url}: the server answered ${response.status}; ${way}`);
}

/**
 * Fetch some bytes of a file.
 *
 * @param {URL} url
 * @param {number} start
 * @param {number} stop
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}  undefined where the server answers with
 *   anything but these bytes
 */
export async function fetchRange(url, start, stop) {
  const headers = { Range: `bytes=${start}-${stop - 1}` };
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { headers });
  } catch {
    return undefined; // told by what asks for the whole file
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
    const way = "does the server answer missing files with a page of its own?";
    throw named("DownloadError", `${url} is not JSON; ${way}`);
  }
}

/**
 * Take what is kept, or download with progress, and check against what the manifest says.
 *
 * Hashing needs a secure context (HTTPS or localhost), which browsers ask for; elsewhere only the
 * size is checked.
 *
 * @param {ModelFile} file
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchVerified(file, onProgress) {
  const report = (/** @type {Progress} */ progress) => onProgress({ file: file.path, ...progress });
  const kept = await recall(file);
  if (kept) {
    const { length } = kept;
    report({ status: "progress", progress: 100, loaded: length, total: length });
    report({ status: "done" });
    return kept;
  }
  try {
    return await download(file, report);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "IntegrityError") throw error;
    // Of a site that was built again, the browser's HTTP cache may have given the older file.
    return download(file, report, { cache: "reload" });
  }
}

/**
 * @param {ModelFile} file
 * @param {(progress: Progress) => void} report
 * @param {RequestInit} [options]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function download({ path, url, bytes: total, sha256 }, report, options) {
  const response = await fetchFile(new URL(url), options);
  report({ status: "download" });
  const bytes = new Uint8Array(total);
  let loaded = 0;
  let reported = -1;
  try {
    for await (const part of parts(response)) {
      if (loaded + part.length <= total) bytes.set(part, loaded);
      loaded += part.length;
      const progress = Math.floor((100 * loaded) / total);
      if (progress === reported) continue;
      reported = progress;
      report({ status: "progress", progress: (100 * loaded) / total, loaded, total });
    }
  } catch (error) {
    const where = `broke off after ${loaded} of ${total} bytes`;
    throw named("DownloadError", `${path}: the download ${where} (${error}). Reload the page.`);
  }
  const way = "Clear this site's cached data and reload, or build the site again.";
  if (loaded !== total) {
    const sizes = `expected ${total} bytes, found ${loaded}`;
    const details = { file: path, expected: `${total} bytes`, found: `${loaded} bytes` };
    throw Object.assign(named("IntegrityError", `${path}: ${sizes}. ${way}`), details);
  }
  if (crypto.subtle) {
    const found = await hashOf(bytes);
    if (found !== sha256) {
      const hashes = `expected ${sha256}, found ${found}`;
      const details = { file: path, expected: sha256, found };
      throw Object.assign(
        named("IntegrityError", `${path}: SHA-256 mismatch: ${hashes}. ${way}`),
        details,
      );
    }
  }
  report({ status: "done" });
  return bytes;
}

/**
 * Not every browser can iterate a stream itself.
 *
 * @param {Response} response
 */
async function* parts(response) {
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
