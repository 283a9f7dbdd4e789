/**
 * Fetch files of this site; what goes wrong names the file and the way out.
 *
 * Verified files are kept in the browser's Cache Storage, each under its address and SHA-256, so
 * that a second visit downloads nothing of a model. They are hashed again when they are read: that
 * takes 0.2 s for 90 MB, while ONNX Runtime compiles, and what was damaged is downloaded again.
 *
 * @import { ModelFile, Progress } from "./protocol.js"
 */

import { named } from "./client.js";

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

const CACHE = "twinvec";

/**
 * Keep a verified file, in place of its earlier versions. Without Cache Storage, as on plain HTTP
 * or on a full disk, nothing is kept.
 *
 * @param {ModelFile} file
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<boolean>}  whether it is kept
 */
export async function keep({ url, sha256 }, content) {
  try {
    const cache = await caches.open(CACHE);
    if (await cache.match(keyOf(url, sha256))) return true;
    await cache.delete(url, { ignoreSearch: true });
    await cache.put(keyOf(url, sha256), new Response(content));
    return true;
  } catch {
    return false; // the next visit downloads it again
  }
}

/**
 * Drop what is kept below a folder of this site and no longer belongs to it.
 *
 * @param {URL} folder
 * @param {string[]} hashes  SHA-256 of all its files
 * @param {RegExp} [paths]  which paths in the folder are meant; all unless given
 */
export async function keepOnly(folder, hashes, paths = /./) {
  try {
    const cache = await caches.open(CACHE);
    const ours = (await cache.keys()).filter(({ url }) => {
      const path = new URL(url).href.replace(/\?.*/, "").slice(folder.href.length);
      return url.startsWith(folder.href) && paths.test(path);
    });
    const old = ours.filter(({ url }) => !hashes.includes(new URL(url).search.slice(1)));
    await Promise.all(old.map((request) => cache.delete(request)));
  } catch {
    // nothing is kept here
  }
}

/**
 * @param {ModelFile} file
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}
 */
async function recall({ url, bytes, sha256 }) {
  try {
    const cache = await caches.open(CACHE);
    const response = await cache.match(keyOf(url, sha256));
    if (!response) return undefined;
    const content = new Uint8Array(await response.arrayBuffer());
    if (content.length === bytes && (await hashOf(content)) === sha256) return content;
    await cache.delete(keyOf(url, sha256));
  } catch {
    // it is downloaded
  }
  return undefined;
}

/**
 * @param {string} url
 * @param {string} sha256
 */
function keyOf(url, sha256) {
  return `${url}?${sha256}`;
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

/** @param {Uint8Array<ArrayBuffer>} content */
async function hashOf(content) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
