/**
 * The files of an index on a server: whole shards, and ranges of others.
 *
 * @import { Part, Shard } from "../wire/types.js"
 */

import { keep, keepOnly } from "../storage/cache.js";
import { fetchRange, fetchSmall, fetchVerified } from "../storage/download.js";
import { describeSpace, megabytes } from "../storage/space.js";
import { namedError } from "../wire/errors.js";

const SHARD_NAME = /^[a-z]+-[0-9a-f]{16}\.(npy|jsonl)$/;

/** Whole shards in memory, of a server that sends no ranges. */
const MAX_HELD_SHARDS = 4;

/** Python's `twinvec.index.stores.browser` reads an index through this. */
export class RemoteIndexFiles {
  /** Whole shards are compared with their hashes here; on plain HTTP, where not, Python does it. */
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
   * @param {(loaded: number, total: number) => void} [report]  called with bytes
   */
  constructor(url, report = () => {}) {
    this.#url = `${url.replace(/\/*$/, "")}/`;
    this.#report = report;
  }

  /**
   * Begin to count bytes for progress, and drop the kept files of an earlier index here.
   *
   * @param {number} total  bytes of the whole shards that will be read
   * @param {string[]} hashes  SHA-256 of all shards
   */
  expect(total, hashes) {
    this.#total = total;
    keepOnly(new URL(this.#url), hashes, SHARD_NAME);
  }

  /**
   * @param {Part[]} parts
   * @returns {Promise<Uint8Array[] | { error: { name: string, message: string } }>}  never
   *   rejected: errors are data
   */
  async read(parts) {
    try {
      return await Promise.all(parts.map((part) => this.#readPart(part)));
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      return { error: { .../** @type {Error} */ (error), name, message } };
    }
  }

  /**
   * Keep all files in the browser, so that the index is searched without a connection too.
   *
   * @param {(loaded: number, total: number) => void} report  called with bytes
   */
  async keepOffline(report) {
    const shards = Object.values(this.#manifest?.shards ?? {}).flat();
    const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    for (const shard of shards) {
      const file = this.#fileOf(shard);
      if (!(await keep(file, await fetchVerified(file, () => {})))) {
        const needed = `${megabytes(shard.bytes)} (all files: ${megabytes(total)})`;
        const problem = `${file.url} cannot be kept, which needs ${needed}`;
        throw namedError("StorageError", `${problem}: ${await describeSpace()}`);
      }
      report((loaded += shard.bytes), total);
    }
  }

  /** @param {Part} part */
  async #readPart({ shard, start, stop }) {
    if (!shard) return this.#readManifest();
    if (stop === undefined) return this.#readShard(shard);
    if (!this.#held.has(shard.file)) {
      const range = await fetchRange(new URL(shard.file, this.#url), start, stop);
      if (range) return range;
    }
    return (await this.#holdShard(shard)).subarray(start, stop);
  }

  async #readManifest() {
    const content = await fetchSmall(new URL("index.json", this.#url), { cache: "no-cache" });
    try {
      this.#manifest = JSON.parse(new TextDecoder().decode(content));
    } catch {
      // Python reports it
    }
    return content;
  }

  /** @param {Shard} shard */
  #holdShard(shard) {
    const content = this.#held.get(shard.file) ?? this.#fetchShard(shard);
    content.catch(() => this.#held.delete(shard.file));
    this.#held.delete(shard.file);
    this.#held.set(shard.file, content); // the latest last
    const [oldest] = this.#held.keys();
    if (this.#held.size > MAX_HELD_SHARDS && oldest) this.#held.delete(oldest);
    return content;
  }

  /**
   * Fetch a whole shard that `expect` announced, with progress.
   *
   * @param {Shard} shard
   */
  async #readShard(shard) {
    const file = this.#fileOf(shard);
    const content = await fetchVerified(file, ({ loaded }) => {
      if (loaded !== undefined) this.#reportBytes(loaded);
    });
    this.#loaded += shard.bytes;
    this.#reportBytes(0);
    await keep(file, content);
    return content;
  }

  /** @param {Shard} shard */
  async #fetchShard(shard) {
    const file = this.#fileOf(shard);
    const content = await fetchVerified(file, () => {});
    await keep(file, content);
    return content;
  }

  /** @param {Shard} shard */
  #fileOf({ file, bytes, sha256 }) {
    return { path: file, url: new URL(file, this.#url).href, bytes, sha256 };
  }

  /** @param {number} partial  bytes so far of an unfinished shard */
  #reportBytes(partial) {
    const loaded = this.#loaded + partial;
    if (loaded <= this.#total) this.#report(loaded, this.#total);
  }
}
