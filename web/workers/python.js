/**
 * The worker in which Python runs. It boots Python while the model loads, then passes requests on.
 *
 * @import { WorkerMethods } from "../wire/protocol.js"
 * @import { Handlers } from "../wire/server.js"
 * @import { Device, Versions } from "../wire/types.js"
 */

import { store, whileUnchanged } from "../storage/stored-index.js";
import { endWorker, serve } from "../wire/server.js";
import { openModel } from "./model.js";
import { filesIn, removeFolder, temporaryPath } from "./python-files.js";
import { PythonHost, STORED } from "./python-host.js";

const host = new PythonHost();

/** @type {Handlers<WorkerMethods>} */
const handlers = {
  async load({ base, model: name, dtype, device, ...options }, report) {
    const folder = new URL(base);
    const booting = host.boot(folder, report);
    booting.catch(() => {}); // `open` awaits it
    const open = async (/** @type {Device} */ device) => {
      const opening = openModel(folder, { name, dtype, device }, report);
      const [{ model, settle }] = await Promise.all([opening, booting]);
      try {
        return { model, settle, versions: await host.open(model, options) };
      } catch (error) {
        model.dispose();
        throw error;
      }
    };
    const { model, settle, versions } = await (device === "webgpu"
      ? openOnGpu(open)
      : open(device));
    model.whenEnded.then(({ message }) => endWorker(message));
    settle().catch(console.warn); // the first session works without the others
    return { value: versions };
  },

  async embed(params, report) {
    const value = await host.ask("embed", params, report);
    return { value, transfer: [value.data.buffer] };
  },

  async importIndex({ file }, report) {
    const location = temporaryPath(".zip");
    host.pyodide.FS.writeFile(location, new Uint8Array(file));
    return { value: await host.ask("import_index", { location }, report) };
  },

  async exportIndex({ handle }) {
    const { FS } = host.pyodide;
    const location = temporaryPath(".zip");
    await host.ask("save", { handle, location });
    const value = FS.readFile(location);
    FS.unlink(location);
    return { value, transfer: [value.buffer] };
  },

  async saveIndex({ handle, name }) {
    const { FS } = host.pyodide;
    const location = temporaryPath();
    try {
      await host.ask("save", { handle, location });
      const onReplaced = () => host.ask("saved", { handle, url: STORED + name });
      await store(name, filesIn(FS, location), onReplaced);
    } finally {
      removeFolder(FS, location);
    }
    return { value: undefined };
  },

  async keepOffline({ url }, report) {
    await host.keepOffline(url, report);
    return { value: undefined };
  },

  async openIndex({ url }, report) {
    const open = () => host.ask("open_index", { url }, report);
    if (!url.startsWith(STORED)) return { value: await open() };
    return { value: await whileUnchanged(url.slice(STORED.length), open) };
  },

  createIndex: async (params) => ({ value: await host.ask("create_index", params) }),
  closeIndex: async (params) => ({ value: await host.ask("close_index", params) }),
  passages: async (params) => ({ value: await host.ask("passages", params) }),
  remove: async (params) => ({ value: await host.ask("remove", params) }),
  tokenIds: async (params) => ({ value: await host.ask("token_ids", params) }),
  countTokens: async (params) => ({ value: await host.ask("count_tokens", params) }),
  add: async (params, report) => ({ value: await host.ask("add", params, report) }),
  documents: async (params) => ({ value: await host.ask("documents", params) }),
  search: async (params) => ({ value: await host.ask("search", params) }),
  searchVector: async (params) => ({ value: await host.ask("search_vector", params) }),
};

serve(handlers);

/**
 * Open a model with WebGPU if its vectors pass the self-check, else with WASM.
 *
 * @template {{ versions: Versions }} T
 * @param {(device: Device) => Promise<T>} open
 * @returns {Promise<T>}
 */
async function openOnGpu(open) {
  try {
    if (!(await navigator.gpu?.requestAdapter())) throw new Error("no adapter is offered here");
    const opened = await open("webgpu");
    if (opened.versions.deviation === undefined) {
      throw new Error("there is no vector to compare with");
    }
    return opened;
  } catch (error) {
    const advice = "A site has the files for WebGPU if it was built with `twinvec site --webgpu`.";
    console.warn(`twinvec: WebGPU cannot be used, WASM is. ${error}. ${advice}`);
    return open("wasm");
  }
}
