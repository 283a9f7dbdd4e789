/** Digests of the ids of many strings, so that a million strings are compared in little time. */

import { pipeline } from "../twinvec.js";

/** @type {import("../api/extractor.js").Extractor | undefined} */
let extractor;

/**
 * Open the model whose tokenizer is compared.
 *
 * @param {string} [dtype]
 */
export async function open(dtype) {
  extractor = await pipeline("feature-extraction", null, dtype === undefined ? {} : { dtype });
}

/**
 * Tokenize blocks of strings.
 *
 * @param {string} address  of a JSON file: a list of lists of strings
 * @returns {Promise<string[]>}  of each block, the SHA-256 of its ids: int32, of each string their
 *   number and then the ids
 */
export async function digests(address) {
  const response = await fetch(address, { cache: "no-store" });
  /** @type {string[][]} */
  const blocks = await response.json();
  const hashes = [];
  for (const block of blocks) hashes.push(await digest(await tokenIds(block)));
  return hashes;
}

/**
 * @param {string[]} texts
 * @returns {Promise<number[][]>}
 */
export async function ids(texts) {
  return (await tokenIds(texts)).map((list) => Array.from(list));
}

/** @param {string[]} texts */
async function tokenIds(texts) {
  if (!extractor) throw new Error("no model is open; call `open` first");
  return extractor.tokenIds(texts);
}

/** @param {Int32Array[]} lists */
async function digest(lists) {
  const numbers = Int32Array.from(lists.flatMap((list) => [list.length, ...list]));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", numbers));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
