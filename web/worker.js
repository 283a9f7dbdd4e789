/**
 * The worker in which Python runs: boots Pyodide while the model loads, then passes requests on.
 *
 * @import { Progress } from "./protocol.js"
 * @typedef {(progress: Progress) => void} Report
 * @typedef {(method: string, params: object) => Promise<any>} Ask
 */

import { errorFromData, serve } from "./client.js";
import { openModel } from "./host.js";

/** @type {import("pyodide").PyodideInterface} */
let pyodide;
/** @type {Ask} */
let python;

serve({
  /** @param {{ base: string, model: string | undefined, dtype: string }} params */
  async load({ base, model, dtype }, report) {
    const folder = new URL(base);
    const [booted, loaded] = await Promise.all([
      bootPython(folder, report),
      openModel(folder, model, dtype, report),
    ]);
    pyodide = booted;
    const endpoint = pyodide.pyimport("twinvec.endpoint");
    python = endpoint.open_endpoint(loaded);
    const { name, revision } = JSON.parse(loaded.info);
    const value = {
      model: name,
      revision,
      dtype,
      python: endpoint.PYTHON_VERSION,
      pyodide: pyodide.version,
      onnxruntime: loaded.onnxruntime,
      sessions: loaded.sessionCount,
    };
    endpoint.destroy();
    return { value };
  },

  async embed(params) {
    const value = await ask("embed", params);
    return { value, transfer: [value.data.buffer] };
  },

  /** @param {{ url: string }} params */
  async openIndex({ url }) {
    for (const file of ["index.json", "vectors.npy"]) {
      const response = await fetch(new URL(file, url));
      if (!response.ok) throw new Error(`${url}${file}: the server answered ${response.status}`);
      pyodide.FS.mkdirTree("/index");
      pyodide.FS.writeFile(`/index/${file}`, new Uint8Array(await response.arrayBuffer()));
    }
    return { value: await ask("openIndex", { folder: "/index" }) };
  },

  add: async (params) => ({ value: await ask("add", params) }),
  search: async (params) => ({ value: await ask("search", params) }),
});

/** @type {Ask} */
async function ask(method, params) {
  const { value, error } = await python(method, params);
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
      throw new Error(`the step "${file}" failed: ${error}`, { cause: error });
    }
  };
  const indexURL = new URL("runtime/pyodide/", base).href;
  const booted = await step("pyodide", async () => {
    /** @type {typeof import("pyodide")} */
    const { loadPyodide } = await import(`${indexURL}pyodide.mjs`);
    return loadPyodide({ indexURL });
  });
  await step("numpy", () => booted.loadPackage("numpy", { messageCallback: () => {} }));
  await step("twinvec", async () => {
    const response = await fetch(new URL("runtime/twinvec.zip", base));
    if (!response.ok) throw new Error(`${response.url}: the server answered ${response.status}`);
    booted.unpackArchive(await response.arrayBuffer(), "zip", { extractDir: "/lib/twinvec" });
    booted.runPython("import sys; sys.path.append('/lib/twinvec'); import twinvec.endpoint");
  });
  return booted;
}
