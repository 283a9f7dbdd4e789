/**
 * Hugging Face `tokenizers` as WASM.
 *
 * @import { ModelFile, Progress } from "../wire/types.js"
 */

import { keep } from "../storage/cache.js";
import { fetchVerified } from "../storage/download.js";
import { explainFailure } from "../storage/site-files.js";
import { isTrap } from "../wire/errors.js";
import { endWorker } from "../wire/server.js";

/**
 * @param {URL} base  folder of the site's files
 * @param {ModelFile} file  `tokenizer.json`
 * @param {(progress: Progress) => void} report
 */
export async function openTokenizer(base, file, report) {
  const [content] = await Promise.all([fetchVerified(file, report), startTokenizers(base)]);
  keep(file, content);
  const { post_processor, ...rest } = JSON.parse(new TextDecoder().decode(content));
  // Special tokens, truncation and padding belong to Python, which both runtimes share.
  const core = { ...rest, post_processor: null, truncation: null, padding: null };
  const { Tokenizer } = /** @type {any} */ (globalThis).tokenizers;
  /** @type {{ encode(text: string): Int32Array }} */
  const tokenizer = await Tokenizer.fromJSON(new TextEncoder().encode(JSON.stringify(core)).buffer);
  return {
    postProcessor: JSON.stringify(post_processor ?? null),
    encode: (/** @type {string} */ text) => {
      try {
        return tokenizer.encode(text);
      } catch (error) {
        if (isTrap(error)) endWorker(`the tokenizer stopped (${error})`);
        throw error;
      }
    },
  };
}

/**
 * Let the library set `globalThis.tokenizers`.
 *
 * @param {URL} base
 */
async function startTokenizers(base) {
  try {
    await import(new URL("runtime/tokenizers/index.js", base).href);
  } catch (error) {
    throw await explainFailure(base, "runtime/tokenizers/", error);
  }
}
