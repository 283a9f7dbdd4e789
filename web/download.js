/**
 * Fetch files of this site; what goes wrong names the file and the way out.
 *
 * @import { Progress } from "./protocol.js"
 */

import { named } from "./client.js";

/**
 * @param {URL} url
 * @returns {Promise<Response>}
 */
export async function fetchFile(url) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw named("DownloadError", `${url} cannot be reached (${error}); check the connection`);
  }
  if (response.ok) return response;
  const way = "is the whole folder that was built on the server?";
  throw named("DownloadError", `${url}: the server answered ${response.status}; ${way}`);
}

/**
 * @param {URL} url
 * @returns {Promise<any>}
 */
export async function fetchJson(url) {
  const response = await fetchFile(url);
  try {
    return await response.json();
  } catch {
    const way = "does the server answer missing files with a page of its own?";
    throw named("DownloadError", `${url} is not JSON; ${way}`);
  }
}

/**
 * Download with progress, and check against what the manifest says.
 *
 * Hashing needs a secure context (HTTPS or localhost), which browsers ask for; elsewhere only the
 * size is checked.
 *
 * @param {URL} url
 * @param {string} path  the file's name in messages
 * @param {{ bytes: number, sha256: string }} expected
 * @param {(progress: Progress) => void} report
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchVerified(url, path, expected, report) {
  const total = expected.bytes;
  report({ status: "initiate", loaded: 0, total });
  const response = await fetchFile(url);
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
    throw named("IntegrityError", `${path}: ${sizes}. ${way}`);
  }
  if (crypto.subtle) {
    const found = hex(await crypto.subtle.digest("SHA-256", bytes));
    if (found !== expected.sha256) {
      const hashes = `expected ${expected.sha256}, found ${found}`;
      throw named("IntegrityError", `${path}: SHA-256 mismatch: ${hashes}. ${way}`);
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

/** @param {ArrayBuffer} buffer */
function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
