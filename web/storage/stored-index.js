/**
 * Indexes in the browser's Origin Private File System, each a folder of files as a static host
 * serves it.
 *
 * An index's files never change under their names, and `index.json`, which lists them, is replaced
 * in one step after them. So the folder always holds one whole index or none.
 *
 * The plain API is used: libraries around it bring a worker or an interface of their own, and leave
 * these few calls to do.
 *
 * @import { Part, StoredIndex } from "../wire/types.js"
 * @typedef {{ count: number, shards: Record<string, { file: string, bytes: number }[]> }} Manifest
 */

import { namedError } from "../wire/errors.js";
import { describeSpace, megabytes } from "./space.js";

const MANIFEST = "index.json";
const SUFFIX = ".index"; // so that every index name is a valid folder name, ".." too

/**
 * List the indexes of this browser.
 *
 * @returns {Promise<StoredIndex[]>}  sorted by name
 */
export async function listStored() {
  const indexes = [];
  const root = await openRoot();
  for await (const [name, folder] of entriesOf(root)) {
    if (!(folder instanceof FileSystemDirectoryHandle) || !name.endsWith(SUFFIX)) continue;
    const manifest = await readManifest(folder);
    if (!manifest) continue; // its first save was interrupted
    indexes.push({
      name: decodeURIComponent(name.slice(0, -SUFFIX.length)),
      size: manifest.count,
      bytes: shardsOf(manifest).reduce((sum, shard) => sum + shard.bytes, 0),
    });
  }
  return indexes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Remove an index; a missing one is no error.
 *
 * @param {string} name
 */
export async function removeStored(name) {
  const root = await openRoot();
  await withLock(name, async () => {
    try {
      await root.removeEntry(folderName(name), { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  });
}

/**
 * Store an index. It replaces one of the same name, which stays if this fails.
 *
 * @param {string} name
 * @param {Map<string, () => Uint8Array<ArrayBuffer>>} files  name -> reader, `index.json` included
 * @param {() => Promise<void>} [onReplaced]  called when the new index is complete, and the files of
 *   the old one still exist
 */
export async function store(name, files, onReplaced) {
  const root = await openRoot();
  const { prototype } = FileSystemFileHandle;
  const write = "createWritable" in prototype ? replaceFile : writeFile;
  if (write === writeFile && !("createSyncAccessHandle" in prototype)) {
    const advice = "Update it, or save the index as a file.";
    const problem = "this browser cannot write files here";
    throw namedError("StorageError", `keeping "${name}": ${problem}. ${advice}`);
  }
  await withLock(name, async () => {
    const folder = await root.getDirectoryHandle(folderName(name), { create: true });
    const before = new Set(shardsOf(await readManifest(folder)).map(({ file }) => file));
    const shards = [...files.keys()].filter((file) => file !== MANIFEST);
    try {
      for (const file of [...shards, MANIFEST]) {
        if (before.has(file)) continue;
        const read = /** @type {() => Uint8Array<ArrayBuffer>} */ (files.get(file));
        await write(folder, file, read());
      }
    } catch (error) {
      await removeOtherShards(folder, before);
      if (before.size === 0) await root.removeEntry(folderName(name), { recursive: true });
      const bytes = [...files.values()].reduce((sum, read) => sum + read().length, 0);
      throw await explainError(error, name, bytes);
    }
    await onReplaced?.();
    await removeOtherShards(folder, new Set(shards));
  });
}

/** The files of a stored index, with the interface of `RemoteIndexFiles`. */
export class StoredIndexFiles {
  /** Python compares whole shards with their hashes. */
  verifies = false;
  #loaded = 0;
  #total = 0;
  #name;
  #report;

  /**
   * @param {string} name
   * @param {(loaded: number, total: number) => void} [report]  called with bytes
   */
  constructor(name, report = () => {}) {
    this.#name = name;
    this.#report = report;
  }

  /** @param {number} total  bytes of the whole shards that will be read */
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
      return await Promise.all(parts.map((part) => this.#readPart(folder, part)));
    } catch (error) {
      if (!isMissing(error)) {
        const { name, message } = /** @type {Error} */ (error);
        return { error: { name, message } };
      }
      const reason = "it may have been deleted or replaced";
      const message = `no whole index is kept here as "${this.#name}"; ${reason}`;
      return { error: { name: "IndexFormatError", message } };
    }
  }

  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {Part} part
   */
  async #readPart(folder, { shard, start, stop }) {
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
    const reason = "in private windows and on plain HTTP browsers allow none";
    throw namedError("StorageError", `this browser keeps no indexes here: ${reason} (${error})`);
  }
}

/** @param {string} name */
function folderName(name) {
  if (name === "") throw new TypeError("a name is needed to keep an index by");
  return encodeURIComponent(name) + SUFFIX;
}

/**
 * Do work on an index that no other tab may do at the same time.
 *
 * @param {string} name
 * @param {() => Promise<void>} work
 */
function withLock(name, work) {
  return navigator.locks.request(lockName(name), work);
}

/**
 * Read an index while no tab replaces or removes it.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} read
 * @returns {Promise<T>}
 */
export async function whileUnchanged(name, read) {
  if (!navigator.locks) return read(); // on plain HTTP, where no index is kept either
  return navigator.locks.request(lockName(name), { mode: "shared" }, read);
}

/** @param {string} name */
function lockName(name) {
  return `twinvec ${name}`;
}

/**
 * Replace a file in a worker of a browser that offers no more: Safari before version 26. Where files
 * cannot be moved either, a crash may leave half an `index.json`, which its digest reveals.
 *
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function writeFile(folder, file, content) {
  if (!("move" in FileSystemFileHandle.prototype)) return writeInPlace(folder, file, content);
  const part = await writeInPlace(folder, `${file}.part`, content);
  return /** @type {any} */ (part).move(file);
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function writeInPlace(folder, file, content) {
  const handle = await folder.getFileHandle(file, { create: true });
  // Workers have the method; TypeScript's library for pages lacks it.
  const access = await /** @type {any} */ (handle).createSyncAccessHandle();
  try {
    access.truncate(0);
    const written = access.write(content);
    if (written < content.length) throw new DOMException("the disk is full", "QuotaExceededError");
    access.flush();
    return handle;
  } finally {
    access.close();
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function replaceFile(folder, file, content) {
  const handle = await folder.getFileHandle(file, { create: true });
  const stream = await handle.createWritable();
  try {
    await stream.write(content);
    await stream.close(); // replaces the file
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {Set<string>} shards  names to keep
 */
async function removeOtherShards(folder, shards) {
  const names = [];
  for await (const [name] of entriesOf(folder)) names.push(name);
  const stale = names.filter((name) => name !== MANIFEST && !shards.has(name));
  await Promise.all(stale.map((name) => folder.removeEntry(name)));
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<Manifest | undefined>}  undefined if it is missing or cannot be read
 */
async function readManifest(folder) {
  try {
    const handle = await folder.getFileHandle(MANIFEST);
    return JSON.parse(await (await handle.getFile()).text());
  } catch {
    return undefined;
  }
}

/** @param {Manifest | undefined} manifest */
function shardsOf(manifest) {
  return Object.values(manifest?.shards ?? {}).flat();
}

/**
 * Iterate over a folder; TypeScript's library for pages lacks the method.
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
 * Turn a full disk's error into one that names the needed and the free space.
 *
 * @param {unknown} error
 * @param {string} name
 * @param {number} bytes
 */
async function explainError(error, name, bytes) {
  if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") return error;
  const advice = "Delete a kept index, free some disk space, or save it as a file.";
  const needed = `keeping "${name}" needs ${megabytes(bytes)}`;
  return namedError("StorageError", `${needed}, and ${await describeSpace()}. ${advice}`);
}
