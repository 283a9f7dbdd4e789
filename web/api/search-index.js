/**
 * Search and change an index that Python holds in the worker.
 *
 * @import { Document, Hit, Metadata, OpenedIndex, Progress } from "../wire/types.js"
 * @import { WorkerMethods } from "../wire/protocol.js"
 * @import { Client } from "../wire/client.js"
 */

import { asList, checkCount, checkNesting, checkOptions } from "./options.js";

/**
 * An index that Python holds in the worker.
 *
 * @example
 * const index = await extractor.openIndex("index/");
 * const [best] = await index.search("What is a panda?", { k: 1 });
 */
export class SearchIndex {
  #worker;
  #handle;
  #url;
  #disposed = false;
  /**
   * Settles when the last change is done.
   *
   * @type {Promise<unknown>}
   */
  #last = Promise.resolve();

  /**
   * @param {Client<WorkerMethods>} worker
   * @param {OpenedIndex} opened
   * @param {string} [url]  of an index of the site
   */
  constructor(worker, { handle, size, lexical }, url) {
    this.#worker = worker;
    this.#handle = handle;
    this.#url = url;
    /** Number of documents. */
    this.size = size;
    /** True if the index has terms, which the modes "lexical" and "hybrid" need. */
    this.lexical = lexical;
  }

  /**
   * Embed texts and append them.
   *
   * @param {string | string[]} texts
   * @param {{ ids?: string[], metadata?: Metadata[],
   *   progress_callback?: (progress: Progress) => void, signal?: AbortSignal }} [options]
   *   `ids` are the texts' positions by default; an aborted call adds nothing
   * @returns {Promise<{ truncated: number }>}  number of texts, of all that were added so far to
   *   any index of this extractor, that were too long for the model and lost their tail
   */
  async add(texts, options) {
    const checked = checkOptions("add", options, [
      "ids",
      "metadata",
      "progress_callback",
      "signal",
    ]);
    const { ids, metadata, progress_callback: onProgress = () => {}, signal } = checked;
    checkNesting("metadata", metadata);
    const params = { handle: this.#openHandle(), texts: asList(texts), ids, metadata };
    const { truncated, size } = await this.#inTurn(() =>
      this.#worker.request("add", params, { onProgress, signal, inTurn: true }),
    );
    this.size = size;
    return { truncated };
  }

  /**
   * Remove documents.
   *
   * @param {string[]} ids
   */
  async remove(ids) {
    const params = { handle: this.#openHandle(), ids };
    const { size } = await this.#inTurn(() => this.#worker.request("remove", params));
    this.size = size;
  }

  /**
   * Keep the index in this browser, replacing an index of the same name; see `openIndex`,
   * `listStored` and `removeStored`. Without enough room, a StorageError is thrown. If this index
   * was opened by the same name, it continues with the new files.
   *
   * @param {string} name
   */
  async save(name) {
    const params = { handle: this.#openHandle(), name };
    requestPersistence();
    await this.#inTurn(() => this.#worker.request("saveIndex", params));
  }

  /**
   * Return the index as one file, which `openIndex` and, in Python, `Index.load("name.zip")` open.
   *
   * @returns {Promise<Blob>}
   */
  async export() {
    const params = { handle: this.#openHandle() };
    const content = await this.#inTurn(() => this.#worker.request("exportIndex", params));
    return new Blob([content], { type: "application/zip" });
  }

  /**
   * Download all files of an index that was opened by its address, for visits without a
   * connection. If the browser cannot keep them, a StorageError is thrown.
   *
   * @param {{ progress_callback?: (progress: Progress) => void }} [options]  reports bytes
   */
  async keepOffline(options) {
    const checked = checkOptions("keepOffline", options, ["progress_callback"]);
    const { progress_callback: onProgress = () => {} } = checked;
    if (this.#url === undefined) throw new TypeError("this index was not opened by an address");
    requestPersistence();
    await this.#worker.request("keepOffline", { url: this.#url }, { onProgress });
  }

  /**
   * Read documents in the index's order; the bounds are those of `Array.slice`.
   *
   * @param {number} [start]
   * @param {number} [stop]
   * @returns {Promise<Document[]>}
   */
  async documents(start = 0, stop) {
    return this.#worker.request("documents", { handle: this.#openHandle(), start, stop });
  }

  /**
   * Rank the documents for a query, best first.
   *
   * @param {string} query
   * @param {{ k?: number, filter?: Record<string, any>,
   *   mode?: "semantic" | "lexical" | "hybrid" }} [options]  `k`: the largest number of hits,
   *   10 by default; `filter`: metadata key -> the value, or a list of values, that a document
   *   must have; `mode`: rank by meaning (the default), by words, or by both
   * @returns {Promise<Hit[]>}
   */
  async search(query, options) {
    const {
      k,
      filter,
      mode = "semantic",
    } = checkOptions("search", options, ["k", "filter", "mode"]);
    if (typeof query !== "string") {
      throw new TypeError("query must be a string; to search for a vector, call searchVector");
    }
    const params = {
      handle: this.#openHandle(),
      query,
      k: checkCount(k),
      filter: checkNesting("filter", filter),
      mode,
    };
    return this.#worker.request("search", params);
  }

  /**
   * Rank the documents for a vector by meaning, best first.
   *
   * @param {Float32Array} vector  of the model's dims
   * @param {{ k?: number, filter?: Record<string, any> }} [options]  as for `search`
   * @returns {Promise<Hit[]>}
   */
  async searchVector(vector, options) {
    const { k, filter } = checkOptions("searchVector", options, ["k", "filter"]);
    if (!(vector instanceof Float32Array)) {
      throw new TypeError("vector must be a Float32Array; to search for a text, call search");
    }
    const params = {
      handle: this.#openHandle(),
      vector,
      k: checkCount(k),
      filter: checkNesting("filter", filter),
    };
    return this.#worker.request("searchVector", params);
  }

  /** Free the index's memory. Earlier calls are still answered, later ones are refused. */
  async dispose() {
    if (this.#disposed) return;
    const handle = this.#openHandle();
    this.#disposed = true;
    await this.#inTurn(() => this.#worker.request("closeIndex", { handle }));
  }

  /**
   * Start a change or a save when the earlier ones are done, so that it includes them.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #openHandle() {
    if (this.#disposed) throw new TypeError("this index was disposed of; open it again");
    return this.#handle;
  }
}

/**
 * Ask the browser not to delete this site's data when the disk is nearly full. It may ask the
 * visitor, so nothing waits for the answer.
 */
function requestPersistence() {
  navigator.storage?.persist?.().catch(() => {}); // workers and plain HTTP have no such method
}
