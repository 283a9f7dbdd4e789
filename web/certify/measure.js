/**
 * Measure this browser: embed, tokenize and search the texts of a certificate.
 *
 * `twinvec certify` calls this in each engine and compares the results itself; `page.js` compares
 * them in the page.
 */

import { pipeline } from "../twinvec.js";

/**
 * @typedef {object} Request
 * @property {string} dtype
 * @property {string[]} texts
 * @property {string[]} queries
 * @property {string} index  address of the index to search, relative to this page
 * @property {("semantic" | "lexical" | "hybrid")[]} modes
 * @property {number} searches  number of queries to search for, in each mode
 *
 * @typedef {[id: string, score: number][]} Hits
 *
 * @typedef {object} Measured
 * @property {import("../wire/types.js").Versions} versions
 * @property {string} browser
 * @property {boolean} isolated  cross-origin isolated
 * @property {string} vectors  of texts, then queries: float32 [texts + queries, dim] as base64
 * @property {number[][]} ids  of each text
 * @property {boolean} invariant  true if a text has the same bits alone and among others
 * @property {Record<string, Hits[]>} hits  of each mode and query
 */

const TEXTS_ALONE = 10;

/**
 * @param {Request} request
 * @param {(done: number, total: number) => void} [report]  called with texts
 * @returns {Promise<Measured>}
 */
export async function measure({ dtype, texts, queries, index, modes, searches }, report) {
  const extractor = await pipeline("feature-extraction", null, { dtype });
  const { versions } = extractor;
  const options = { pooling: versions.fingerprint.pooling, normalize: true };
  try {
    const all = await extractor([...texts, ...queries], {
      ...options,
      progress_callback: ({ loaded = 0, total = 0 }) => report?.(loaded, total),
    });
    const data = /** @type {Float32Array<ArrayBuffer>} */ (all.data);
    const opened = await extractor.openIndex(new URL(index, location.href));
    /** @type {Record<string, Hits[]>} */
    const hits = {};
    for (const mode of modes) {
      hits[mode] = [];
      for (const query of queries.slice(0, searches)) {
        const found = await opened.search(query, { mode });
        hits[mode].push(found.map(({ id, score }) => [id, score]));
      }
    }
    return {
      versions,
      browser: navigator.userAgent,
      isolated: crossOriginIsolated,
      vectors: await toBase64(data),
      ids: (await extractor.tokenIds(texts)).map((ids) => Array.from(ids)),
      invariant: await isInvariant(extractor, texts, data, options),
      hits,
    };
  } finally {
    await extractor.dispose();
  }
}

/**
 * Embed some texts alone, and compare their vectors with those of all texts together.
 *
 * @param {import("../api/extractor.js").Extractor} extractor
 * @param {string[]} texts
 * @param {Float32Array} data
 * @param {object} options
 */
async function isInvariant(extractor, texts, data, options) {
  const step = Math.ceil(texts.length / TEXTS_ALONE);
  for (let row = 0; row < texts.length; row += step) {
    const alone = await extractor(texts[row] ?? "", options);
    const together = data.subarray(row * alone.size, (row + 1) * alone.size);
    if (alone.data.some((value, column) => !Object.is(value, together[column]))) return false;
  }
  return true;
}

/**
 * @param {Float32Array<ArrayBuffer>} data
 * @returns {Promise<string>}
 */
function toBase64(data) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^.*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([data]));
  });
}
