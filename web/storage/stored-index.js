/**
 * Indexes that the browser keeps: each a folder of files in the Origin Private File System, as a
 * static host would have it. The plain API: libraries around it bring a worker or an interface of
 * their own, and these few calls are what would be left.
 *
 * An index's files never change under their names, and `index.json`, which lists them, is replaced
 * in one step after them. So at every moment the folder holds one whole index, or none.
 *
 * @import { Part, StoredIndex } from "../wire/types.js"
 */

import { named } from "../wire/client.js";

const MANIFEST = "index.json";
const SUFFIX = ".index"; // so that every name is one that a folder may have, ".." too

/**
 * @returns {Promise<StoredIndex[]>}  by name
 */
export async function listStored() {
  const found = [];
  const root = await openRoot();
  for await (const [name, folder] of entriesOf(root)) {
    if (!(folder instanceof FileSystemDirectoryHandle) || !name.endsWith(SUFFIX)) continue;
    const listed = await manifestOf(folder);
    if (!listed) continue; // never finished
    const bytes = shardsOf(listed).reduce((sum, shard) => sum + shard.bytes, 0);
    found.push({
      name: decodeURIComponent(name.slice(0, -SUFFIX.length)),
      size: listed.count,
      bytes,
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Remove an index; one that is not there is no error.
 *
 * @param {string} name
 */
export async function removeStored(name) {
  const root = await openRoot();
  await locked(name, async () => {
    try {
      await root.removeEntry(folderName(name), { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  });
}

/**
 * Keep an index; one of this name is replaced, and stays where this fails.
 *
 * @param {string} name
 * @param {Map<string, () => Uint8Array<ArrayBuffer>>} files  `index.json` among them
 * @param {() => Promise<void>} [replaced]  called when the new index is whole, and the files of the
 *   one before it are still there
 */
export async function store(name, files, replaced) {
  const root = await openRoot();
  if (!("createWritable" in FileSystemFileHandle.prototype)) {
    const way = "Update it (Safari can from version 26), or save the index as a file.";
    throw named("StorageError", `keeping "${name}": this browser cannot write files here. ${way}`);
  }
  await locked(name, async () => {
    const folder = await root.getDirectoryHandle(folderName(name), { create: true });
    const before = new Set(shardsOf(await manifestOf(folder)).map(({ file }) => file));
    const shards = [...files.keys()].filter((file) => file !== MANIFEST);
    try {
      for (const file of [...shards, MANIFEST]) {
        if (before.has(file)) continue;
        const content = /** @type {() => Uint8Array<ArrayBuffer>} */ (files.get(file))();
        await write(folder, file, content);
      }
    } catch (error) {
      await keepOnly(folder, before);
      if (before.size === 0) await root.removeEntry(folderName(name), { recursive: true });
      const all = [...files.values()].reduce((sum, read) => sum + read().length, 0);
      throw await explained(error, name, all);
    }
    await replaced?.();
    await keepOnly(folder, new Set(shards));
  });
}

/** The files of a kept index, with the interface of `IndexFolder`. */
export class StoredFolder {
  /** Python compares whole shards with their hashes. */
  verifies = false;
  #loaded = 0;
  #total = 0;
  #name;
  #report;

  /**
   * @param {string} name
   * @param {(loaded: number, total: number) => void} [report]  of bytes
   */
  constructor(name, report = () => {}) {
    this.#name = name;
    this.#report = report;
  }

  /** @param {number} total  bytes of the whole shards that will be asked for */
  expect(total) {
    this.#total = total;
  }

  /**
   * @param {Part[]} parts
   * @returns {Promise<Uint8Array[] | { error: { name: string, message: string } }>}  never
   *   rejected: errors are data
   */
  async read(parts) {
    try {
      const folder = await (await openRoot()).getDirectoryHandle(folderName(this.#name));
      return await Promise.all(parts.map((part) => this.#read(folder, part)));
    } catch (error) {
      if (!isMissing(error)) {
        const { name, message } = /** @type {Error} */ (error);
        return { error: { name, message } };
      }
      const message = `no whole index is kept here as "${this.#name}"; it may have been deleted or replaced`;
      return { error: { name: "IndexFormatError", message } };
    }
  }

  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {Part} part
   */
  async #read(folder, { shard, start, stop }) {
    const handle = await folder.getFileHandle(shard?.file ?? MANIFEST);
    const file = await handle.getFile();
    const content = await file.slice(start, stop ?? file.size).arrayBuffer();
    if (shard && stop === undefined) {
      this.#loaded += shard.bytes;
      if (this.#loaded <= this.#total) this.#report(this.#loaded, this.#total);
    }
    return new Uint8Array(content);
  }
}

async function openRoot() {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle("twinvec", { create: true });
  } catch (error) {
    const where = "in private windows and on plain HTTP browsers allow none";
    throw named("StorageError", `this browser keeps no indexes here: ${where} (${error})`);
  }
}

/** @param {string} name */
function folderName(name) {
  if (name === "") throw new TypeError("a name is needed to keep an index by");
  return encodeURIComponent(name) + SUFFIX;
}

/**
 * Two tabs must not write one index at the same time.
 *
 * @param {string} name
 * @param {() => Promise<void>} work
 */
function locked(name, work) {
  return navigator.locks.request(`twinvec ${name}`, work);
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function write(folder, file, content) {
  const handle = await folder.getFileHandle(file, { create: true });
  const stream = await handle.createWritable();
  try {
    await stream.write(content);
    await stream.close(); // only now is the file replaced
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {Set<string>} files
 */
async function keepOnly(folder, files) {
  const names = [];
  for await (const [name] of entriesOf(folder)) names.push(name);
  const old = names.filter((name) => name !== MANIFEST && !files.has(name));
  await Promise.all(old.map((name) => folder.removeEntry(name)));
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<{ count: number, shards: Record<string, { file: string, bytes: number }[]> }
 *   | undefined>}  undefined where there is none, or none that can be read
 */
async function manifestOf(folder) {
  try {
    const handle = await folder.getFileHandle(MANIFEST);
    return JSON.parse(await (await handle.getFile()).text());
  } catch {
    return undefined;
  }
}

/** @param {Awaited<ReturnType<typeof manifestOf>>} manifest */
function shardsOf(manifest) {
  return Object.values(manifest?.shards ?? {}).flat();
}

/**
 * TypeScript's library for pages does not know that folders can be iterated.
 *
 * @param {FileSystemDirectoryHandle} folder
 * @returns {AsyncIterable<[string, FileSystemHandle]>}
 */
function entriesOf(folder) {
  return /** @type {any} */ (folder).entries();
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/**
 * Say what is needed, and what is there.
 *
 * @param {unknown} error
 * @param {string} name
 * @param {number} bytes
 */
async function explained(error, name, bytes) {
  if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") return error;
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  const free = megabytes(Math.max(0, quota - usage));
  const there = `this browser has ${free} left for this site, of ${megabytes(quota)}`;
  const way = "Delete a kept index, free some disk space, or save it as a file.";
  return named("StorageError", `keeping "${name}" needs ${megabytes(bytes)}, and ${there}. ${way}`);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
