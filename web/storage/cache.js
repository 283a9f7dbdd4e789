/**
 * Verified files in the browser's Cache Storage.
 *
 * Each is kept under its address and SHA-256, so that a second visit downloads nothing of a model.
 * A file is hashed again when it is read: that takes 0.2 s for 90 MB, while ONNX Runtime compiles,
 * and a damaged file is downloaded again.
 *
 * Without Cache Storage, as on plain HTTP or on a full disk, these functions keep and find nothing.
 *
 * @import { ModelFile } from "../wire/types.js"
 */

const CACHE = "twinvec";

/**
 * Keep a verified file, and drop its earlier versions.
 *
 * @param {ModelFile} file
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<boolean>}  false if the file is not kept
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
 * Drop the kept files of a folder that no longer belong to it.
 *
 * @param {URL} folder
 * @param {string[]} hashes  SHA-256 of all its files
 * @param {RegExp} [paths]  paths below the folder to consider; all unless given
 */
export async function keepOnly(folder, hashes, paths = /./) {
  try {
    const cache = await caches.open(CACHE);
    const requests = (await cache.keys()).filter(({ url }) => {
      const path = new URL(url).href.replace(/\?.*/, "").slice(folder.href.length);
      return url.startsWith(folder.href) && paths.test(path);
    });
    const stale = requests.filter(({ url }) => !hashes.includes(new URL(url).search.slice(1)));
    await Promise.all(stale.map((request) => cache.delete(request)));
  } catch {
    // no Cache Storage
  }
}

/**
 * Read a kept file and verify it.
 *
 * @param {ModelFile} file
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}  undefined if it is not kept, or damaged
 */
export async function recall({ url, bytes, sha256 }) {
  try {
    const cache = await caches.open(CACHE);
    const response = await cache.match(keyOf(url, sha256));
    if (!response) return undefined;
    const content = new Uint8Array(await response.arrayBuffer());
    if (content.length === bytes && (await sha256Of(content)) === sha256) return content;
    await cache.delete(keyOf(url, sha256));
  } catch {
    // no Cache Storage
  }
  return undefined;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<string>}  lower-case hexadecimal
 */
export async function sha256Of(content) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} url
 * @param {string} sha256
 */
function keyOf(url, sha256) {
  return `${url}?${sha256}`;
}
