/**
 * Indexes in Pyodide's own file system, on their way to and from Python.
 *
 * @typedef {import("pyodide").PyodideInterface["FS"]} FileSystem
 */

/**
 * Return a path that no other file has.
 *
 * @param {string} [suffix]
 */
export function temporaryPath(suffix = "") {
  return `/tmp/index-${crypto.getRandomValues(new Uint32Array(2)).join("-")}${suffix}`;
}

/**
 * @param {FileSystem} FS
 * @param {string} folder  without folders in it
 * @returns {Map<string, () => Uint8Array<ArrayBuffer>>}  name -> reader
 */
export function filesIn(FS, folder) {
  return new Map(namesIn(FS, folder).map((name) => [name, () => FS.readFile(`${folder}/${name}`)]));
}

/**
 * @param {FileSystem} FS
 * @param {string} folder  without folders in it; it may be missing
 */
export function removeFolder(FS, folder) {
  if (!FS.analyzePath(folder).exists) return;
  for (const name of namesIn(FS, folder)) FS.unlink(`${folder}/${name}`);
  FS.rmdir(folder);
}

/**
 * @param {FileSystem} FS
 * @param {string} folder
 * @returns {string[]}
 */
function namesIn(FS, folder) {
  return FS.readdir(folder).filter((/** @type {string} */ name) => name !== "." && name !== "..");
}
