/**
 * The worker in which Python runs: boots Pyodide while the model loads, then passes requests on.
 *
 * @import { Handlers } from "../wire/client.js"
 * @import { WorkerMethods } from "../wire/protocol.js"
 * @import { Device, Progress, Versions } from "../wire/types.js"
 * @typedef {Awaited<ReturnType<typeof openModel>>} OpenedModel
 * @typedef {(progress: Progress) => void} Report
 */

import { fetchFile } from "../storage/download.js";
import { store, StoredFolder } from "../storage/stored-index.js";
import { errorFromData, serve } from "../wire/client.js";
import { openModel } from "./model.js";
import { IndexFolder } from "./remote-index.js";

/** @type {import("pyodide").PyodideInterface} */
let pyodide;
/**
 * @type {(method: string, params: object, progress?: (done: number, count: number) => void)
 *   => Promise<{ value?: any, error?: any }>}
 */
let python;

/** Pyodide's own list of packages is 114 kB, and none of them is loaded through it. */
const NO_PACKAGES = /** @type {import("pyodide").Lockfile} */ ({
  info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten_5_0_3" },
  packages: {},
});
/** What precedes the name of an index that the browser keeps, in place of an address. */
const STORED = "stored:";
/** @type {Map<string, IndexFolder>} */
const folders = new Map();
const SITE = "/lib/twinvec";
/**
 * What Python reaches of this worker: a JavaScript module that `twinvec.runtime.pyodide` imports.
 *
 * @type {{ models: OpenedModel["loaded"][], openFolder: typeof openFolder }}
 */
const host = { models: [], openFolder };

/** @type {Handlers<WorkerMethods>} */
const handlers = {
  async load({ base, model, dtype, device, ...options }, report) {
    const folder = new URL(base);
    const booting = bootPython(folder, report);
    booting.catch(() => {}); // told where it is waited for
    const open = async (/** @type {Device} */ device) => {
      const opening = openModel(folder, model, dtype, device, report);
      const [booted, { loaded, settle }] = await Promise.all([booting, opening]);
      pyodide = booted;
      try {
        return { facts: await introduce(loaded, options), settle };
      } catch (error) {
        loaded.dispose();
        throw error;
      }
    };
    const { facts, settle } = await (device === "webgpu" ? openOnGpu(open) : open(device));
    settle().catch(console.warn); // it works without
    return { value: facts };
  },

  async embed(params, report) {
    const value = await ask("embed", params, report);
    return { value, transfer: [value.data.buffer] };
  },

  openIndex: async (params, report) => ({ value: await ask("open_index", params, report) }),
  createIndex: async (params) => ({ value: await ask("create_index", params) }),

  async importIndex({ file }, report) {
    const location = temporary();
    pyodide.FS.writeFile(location, new Uint8Array(file));
    return { value: await ask("import_index", { location }, report) };
  },

  closeIndex: async (params) => ({ value: await ask("close_index", params) }),

  async exportIndex({ handle }) {
    const location = temporary();
    await ask("save", { handle, location });
    const value = pyodide.FS.readFile(location);
    pyodide.FS.unlink(location);
    return { value, transfer: [value.buffer] };
  },

  async saveIndex({ handle, name }) {
    const location = temporary().replace(".zip", "");
    try {
      await ask("save", { handle, location });
      const names = pyodide.FS.readdir(location).filter(
        (/** @type {string} */ file) => !/^\.+$/.test(file),
      );
      const read = (/** @type {string} */ file) => () => pyodide.FS.readFile(`${location}/${file}`);
      const files = new Map(names.map((/** @type {string} */ file) => [file, read(file)]));
      await store(name, files, () => ask("saved", { handle, url: STORED + name }));
    } finally {
      if (pyodide.FS.analyzePath(location).exists) removeFolder(location);
    }
    return { value: undefined };
  },

  async keepOffline({ url }, report) {
    await folders
      .get(url)
      ?.keepOffline((loaded, total) =>
        report({ status: "progress", progress: (100 * loaded) / total, loaded, total }),
      );
    return { value: undefined };
  },

  passages: async (params) => ({ value: await ask("passages", params) }),
  remove: async (params) => ({ value: await ask("remove", params) }),
  countTokens: async (params) => ({ value: await ask("count_tokens", params) }),
  add: async (params, report) => ({ value: await ask("add", params, report) }),
  documents: async (params) => ({ value: await ask("documents", params) }),
  search: async (params) => ({ value: await ask("search", params) }),
  searchVector: async (params) => ({ value: await ask("search_vector", params) }),
};

serve(handlers);

/**
 * Open with WebGPU, guarded by the self-check: where there is no adapter, where it fails, or where
 * its vectors are not CPython's, with WASM.
 *
 * @template {{ facts: Versions }} T
 * @param {(device: Device) => Promise<T>} open
 * @returns {Promise<T>}
 */
async function openOnGpu(open) {
  try {
    if (!(await navigator.gpu?.requestAdapter())) throw new Error("no adapter is offered here");
    const opened = await open("webgpu");
    if (opened.facts.deviation === undefined) throw new Error("there is no vector to compare with");
    return opened;
  } catch (error) {
    const way = "A site has what WebGPU needs if it was built with `twinvec site --webgpu`.";
    console.warn(`twinvec: WebGPU cannot be used, WASM is. ${error}. ${way}`);
    return open("wasm");
  }
}

/**
 * Make a model known to Python, which checks it.
 *
 * @param {OpenedModel["loaded"]} loaded
 * @param {object} options
 * @returns {Promise<Versions>}
 */
async function introduce(loaded, options) {
  host.models = [loaded];
  const endpoint = pyodide.pyimport("twinvec.page.endpoint");
  python = endpoint.open_endpoint();
  endpoint.destroy();
  return {
    ...(await ask("open", { dtype: loaded.dtype, ...options })),
    device: loaded.device,
    pyodide: pyodide.version,
    onnxruntime: loaded.onnxruntime,
    sessions: loaded.sessionCount,
  };
}

/**
 * What Python reads an index with.
 *
 * @param {string} url
 * @param {(loaded: number, total: number) => void} [report]
 */
function openFolder(url, report) {
  if (url.startsWith(STORED)) return new StoredFolder(url.slice(STORED.length), report);
  const folder = new IndexFolder(url, report);
  folders.set(url, folder);
  return folder;
}

/** Name a file of Pyodide's own file system that nothing else has. */
function temporary() {
  return `/tmp/index-${crypto.getRandomValues(new Uint32Array(2)).join("-")}.zip`;
}

/** @param {string} folder  of Pyodide's own file system, without folders in it */
function removeFolder(folder) {
  for (const file of pyodide.FS.readdir(folder)) {
    if (!/^\.+$/.test(file)) pyodide.FS.unlink(`${folder}/${file}`);
  }
  pyodide.FS.rmdir(folder);
}

/**
 * @param {string} method  of `twinvec.page.endpoint.Endpoint`
 * @param {object} params
 * @param {Report} [report]  of what is done
 */
async function ask(method, params, report) {
  const counted = (/** @type {number} */ loaded, /** @type {number} */ total) =>
    report?.({ status: "progress", progress: (100 * loaded) / total, loaded, total });
  const { value, error } = await python(method, params, report && counted);
  if (error) throw errorFromData(error);
  return value;
}

/**
 * @param {URL} base
 * @param {Report} report
 */
async function bootPython(base, report) {
  /**
   * @template T
   * @param {string} file
   * @param {() => Promise<T>} work
   */
  const step = async (file, work) => {
    report({ status: "initiate", name: "runtime", file });
    try {
      const done = await work();
      report({ status: "done", name: "runtime", file });
      return done;
    } catch (error) {
      const reason = error instanceof Error ? error.message : JSON.stringify(error);
      throw new Error(`the step "${file}" failed: ${reason}`, { cause: error });
    }
  };
  const indexURL = new URL("runtime/pyodide/", base).href;
  const fetched = ["numpy", "twinvec"].map((name) => {
    const archive = fetchFile(new URL(`runtime/${name}.zip`, base)).then((r) => r.arrayBuffer());
    archive.catch(() => {}); // told by its own step
    return { name, archive };
  });
  const booted = await step("pyodide", async () => {
    /** @type {typeof import("pyodide")} */
    const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
    return firstWarning(loadPyodide({ indexURL, lockFileContents: NO_PACKAGES }));
  });
  booted.registerJsModule("twinvec_host", host);
  booted.runPython(`import sys; sys.path.append("${SITE}")`);
  for (const { name, archive } of fetched) {
    await step(name, async () => {
      booted.unpackArchive(await archive, "zip", { extractDir: SITE });
      booted.runPython(`import ${name === "twinvec" ? "twinvec.page.endpoint" : name}`);
    });
  }
  return booted;
}

/**
 * Reject with what is warned about meanwhile: where its WebAssembly cannot start, Pyodide only
 * warns, and then never settles.
 *
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
function firstWarning(work) {
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
