/**
 * The files of an index, as Python reads them in the browser: whole shards, and ranges of others.
 *
 * @import { Part, Shard } from "../wire/types.js"
 */

import { keep, keepOnly } from "../storage/cache.js";
import { fetchFile, fetchRange, fetchVerified } from "../storage/download.js";
import { named } from "../wire/client.js";

const SHARD = /^[a-z]+-[0-9a-f]{16}\.(npy|jsonl)$/;
/** So many whole shards are held, of a server that has no ranges. */
const HELD = 4;

/** What `twinvec.index.stores.browser.BrowserStore` holds. */
export class IndexFolder {
  /** Whether whole shards are compared with their hashes here; on plain HTTP Python does it. */
  verifies = Boolean(globalThis.crypto?.subtle);
  /** @type {Map<string, Promise<Uint8Array<ArrayBuffer>>>} */
  #held = new Map();
  /** @type {{ shards: Record<string, Shard[]> } | undefined} */
  #manifest;
  #loaded = 0;
  #total = 0;
  #url;
  #report;

  /**
   * @param {string} url
   * @param {(loaded: number, total: number) => void} [report]  of bytes
   */
  constructor(url, report = () => {}) {
    this.#url = `${url.replace(/\/*$/, "")}/`;
    this.#report = report;
  }

  /**
   * Begin to count bytes for progress, and drop what the browser keeps of an earlier index here.
   *
   * @param {number} total  bytes of the whole shards that will be asked for
   * @param {string[]} hashes  SHA-256 of all shards
   */
  expect(total, hashes) {
    this.#total = total;
    keepOnly(new URL(this.#url), hashes, SHARD);
  }

  /**
   * @param {Part[]} parts
   * @returns {Promise<Uint8Array[] | { error: { name: string, message: string } }>}  never
   *   rejected: errors are data
   */
  async read(parts) {
    try {
      return await Promise.all(parts.map((part) => this.#read(part)));
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      return { error: { .../** @type {Error} */ (error), name, message } };
    }
  }

  /**
   * Keep all files in the browser, so that the index is searched without a connection too.
   *
   * @param {(loaded: number, total: number) => void} report  of bytes
   */
  async keepOffline(report) {
    const shards = Object.values(this.#manifest?.shards ?? {}).flat();
    const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    for (const shard of shards) {
      const wanted = this.#file(shard);
      if (!(await keep(wanted, await fetchVerified(wanted, () => {})))) {
        const what = `${this.#url} (${(total / 1e6).toFixed(1)} MB) cannot be kept for offline use`;
        throw named(
          "StorageError",
          `${what}: the disk is full, or this browser keeps nothing here`,
        );
      }
      report((loaded += shard.bytes), total);
    }
  }

  /** @param {Part} part */
  async #read({ shard, start, stop }) {
    if (!shard) {
      const response = await fetchFile(new URL("index.json", this.#url), { cache: "no-cache" });
      const content = new Uint8Array(await response.arrayBuffer());
      try {
        this.#manifest = JSON.parse(new TextDecoder().decode(content));
      } catch {
        // told by Python
      }
      return content;
    }
    if (stop === undefined) return this.#whole(shard, true);
    if (!this.#held.has(shard.file)) {
      const range = await fetchRange(new URL(shard.file, this.#url), start, stop);
      if (range) return range;
    }
    return (await this.#hold(shard)).subarray(start, stop);
  }

  /** @param {Shard} shard */
  #hold(shard) {
    const found = this.#held.get(shard.file) ?? this.#whole(shard, false);
    found.catch(() => this.#held.delete(shard.file));
    this.#held.delete(shard.file);
    this.#held.set(shard.file, found); // the latest last
    const [oldest] = this.#held.keys();
    if (this.#held.size > HELD && oldest) this.#held.delete(oldest);
    return found;
  }

  /**
   * @param {Shard} shard
   * @param {boolean} counted
   */
  async #whole(shard, counted) {
    const wanted = this.#file(shard);
    const content = await fetchVerified(wanted, ({ loaded }) => {
      if (counted && loaded !== undefined) this.#progress(loaded);
    });
    if (counted) {
      this.#loaded += shard.bytes;
      this.#progress(0);
    }
    await keep(wanted, content);
    return content;
  }

  /** @param {Shard} shard */
  #file({ file, bytes, sha256 }) {
    return { path: file, url: new URL(file, this.#url).href, bytes, sha256 };
  }

  /** @param {number} more  bytes of the shard that is under way */
  #progress(more) {
    const [loaded, total] = [this.#loaded + more, this.#total];
    if (loaded <= total) this.#report(loaded, total);
  }
}
