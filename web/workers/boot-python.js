/**
 * Boot Python, with NumPy and twinvec, from the files of a site.
 *
 * @import { Progress } from "../wire/types.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { explainFailure, fetchSiteFile, fetchSiteFiles } from "../storage/site-files.js";

/** Folder of NumPy and twinvec in Pyodide's file system. */
const PACKAGES = "/lib/twinvec";

/** Errors that name their file. */
const DOWNLOAD_ERRORS = ["DownloadError", "IntegrityError"];

/** Replaces Pyodide's list of packages, 114 kB, which nothing here is loaded through. */
const NO_PACKAGES = /** @type {import("pyodide").Lockfile} */ ({
  info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten_5_0_3" },
  packages: {},
});

/**
 * @param {URL} base  folder of the site's files
 * @param {object} hostModule  JavaScript module that Python imports as `twinvec_host`
 * @param {Report} report
 */
export async function bootPython(base, hostModule, report) {
  const indexURL = new URL("runtime/pyodide/", base).href;
  const files = fetchSiteFiles(base);
  const archives = ["numpy", "twinvec"].map((name) => {
    const content = fetchSiteFile(base, files, `runtime/${name}.zip`);
    content.catch(() => {}); // its step awaits it
    return { name, content };
  });
  const pyodide = await runStep("pyodide", report, async () => {
    /** @type {typeof import("pyodide")} */
    const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
    return rejectOnWarning(loadPyodide({ indexURL, lockFileContents: NO_PACKAGES }));
  }).catch(async (error) => {
    throw await explainFailure(base, "runtime/pyodide/", error);
  });
  pyodide.registerJsModule("twinvec_host", hostModule);
  pyodide.runPython(`import sys; sys.path.append("${PACKAGES}")`);
  for (const { name, content } of archives) {
    await runStep(name, report, async () => {
      pyodide.unpackArchive(await content, "zip", { extractDir: PACKAGES });
      pyodide.runPython(`import ${name === "twinvec" ? "twinvec.page.endpoint" : name}`);
    });
  }
  return pyodide;
}

/**
 * Report a step's beginning and end, and name it in its error.
 *
 * @template T
 * @param {string} file  the step's name
 * @param {Report} report
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function runStep(file, report, work) {
  report({ status: "initiate", name: "runtime", file });
  try {
    const result = await work();
    report({ status: "done", name: "runtime", file });
    return result;
  } catch (error) {
    if (error instanceof Error && DOWNLOAD_ERRORS.includes(error.name)) throw error;
    const reason = error instanceof Error ? error.message : JSON.stringify(error);
    throw new Error(`the step "${file}" failed: ${reason}`, { cause: error });
  }
}

/**
 * Reject with an error that is only warned about: Pyodide warns and then never settles if its
 * WebAssembly cannot start.
 *
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
function rejectOnWarning(work) {
  const { warn } = console;
  return new Promise((resolve, reject) => {
    console.warn = (...values) => {
      warn(...values);
      const error = values.find((value) => value instanceof Error);
      if (error) reject(error);
    };
    work.then(resolve, reject);
  }).finally(() => {
    console.warn = warn;
  });
}
