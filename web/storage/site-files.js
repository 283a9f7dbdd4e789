/**
 * The files of this site that `twinvec site` wrote, as its `manifest.json` lists them.
 *
 * @import { ModelFile } from "../wire/types.js"
 */

import { namedError } from "../wire/errors.js";
import { fetchJson, fetchType, fetchVerified } from "./download.js";

/** Files that browsers run only if the server names the right type. */
const TYPES = [
  { files: /\.m?js$/, type: "text/javascript", accepted: /javascript/ },
  { files: /\.wasm$/, type: "application/wasm", accepted: /^application\/wasm/ },
];

/**
 * Fetch and verify a file.
 *
 * @param {URL} base  folder of the site's files
 * @param {Promise<Map<string, ModelFile>>} files
 * @param {string} path
 */
export async function fetchSiteFile(base, files, path) {
  const file = (await files).get(path);
  if (file) return fetchVerified(file, () => {});
  throw namedError("DownloadError", `${base}manifest.json lists no ${path}; build the site again`);
}

/**
 * @param {URL} base  folder of the site's files
 * @returns {Promise<Map<string, ModelFile>>}  path -> file
 */
export async function fetchSiteFiles(base) {
  const { files = {} } = await fetchJson(new URL("manifest.json", base), { cache: "no-cache" });
  return new Map(
    Object.entries(files).map(([path, { bytes, sha256 }]) => {
      const { href } = new URL(path, base);
      return [path, { path: href, url: href, bytes, sha256 }];
    }),
  );
}

/**
 * Explain why code of the site does not start: with a file of its folder that is missing,
 * altered, or sent as another type.
 *
 * @param {URL} base  folder of the site's files
 * @param {string} folder  below `base`
 * @param {unknown} error  returned if all files are right
 * @returns {Promise<unknown>}
 */
export async function explainFailure(base, folder, error) {
  try {
    for (const [path, file] of await fetchSiteFiles(base)) {
      // Servers decode the compressed copies.
      if (!path.startsWith(folder) || path.endsWith(".br")) continue;
      await fetchVerified(file, () => {});
      await checkType(new URL(file.url));
    }
    return error;
  } catch (damage) {
    return damage;
  }
}

/** @param {URL} url */
async function checkType(url) {
  const expected = TYPES.find(({ files }) => files.test(url.pathname));
  if (!expected) return;
  const type = await fetchType(url);
  if (expected.accepted.test(type)) return;
  const advice = `set the server's type for such files to ${expected.type}`;
  throw namedError("DownloadError", `${url}: the server sends it as "${type}"; ${advice}`);
}
