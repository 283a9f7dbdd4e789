/**
 * Python in this worker, from its boot to the calls that it answers.
 *
 * @import { Progress, Versions } from "../wire/types.js"
 * @import { LoadedModel } from "./model.js"
 * @typedef {(progress: Progress) => void} Report
 * @typedef {(loaded: number, total: number) => void} ReportCounts
 */

import { StoredIndexFiles } from "../storage/stored-index.js";
import { errorFromData } from "../wire/errors.js";
import { endWorker } from "../wire/server.js";
import { bootPython } from "./boot-python.js";
import { RemoteIndexFiles } from "./remote-index.js";

/** Prefix of a stored index's name where Python expects an index's address. */
export const STORED = "stored:";

/** Boot it first, then open a model; only then it answers calls. */
export class PythonHost {
  /** @type {import("pyodide").PyodideInterface | undefined} */
  #pyodide;
  /**
   * @type {((method: string, params: object, report?: ReportCounts)
   *   => Promise<{ value?: any, error?: any }>) | undefined}
   */
  #call;
  /**
   * The JavaScript module `twinvec_host`, which `twinvec.runtime.pyodide` imports.
   *
   * @type {{ models: LoadedModel[],
   *   openFolder: (url: string, report?: ReportCounts) => RemoteIndexFiles | StoredIndexFiles }}
   */
  #module = { models: [], openFolder: (url, report) => this.#openFolder(url, report) };
  /** @type {Map<string, RemoteIndexFiles>} */
  #remoteIndexes = new Map();

  /**
   * @param {URL} base  folder of the site's files
   * @param {Report} report
   */
  async boot(base, report) {
    this.#pyodide = await bootPython(base, this.#module, report);
    // After it, Pyodide answers nothing more. Its own API has no event for that.
    const { _api } = /** @type {any} */ (this.#pyodide);
    _api.on_fatal = (/** @type {unknown} */ error) => endWorker(`Python stopped (${error})`);
  }

  get pyodide() {
    if (!this.#pyodide) throw new Error("Python is not booted; `load` is the first request");
    return this.#pyodide;
  }

  /**
   * Let Python open and check a model.
   *
   * @param {LoadedModel} model
   * @param {object} options
   * @returns {Promise<Versions>}
   */
  async open(model, options) {
    this.#module.models = [model];
    const endpoint = this.pyodide.pyimport("twinvec.page.endpoint");
    this.#call = endpoint.open_endpoint();
    endpoint.destroy();
    return {
      ...(await this.ask("open", { dtype: model.dtype, ...options })),
      device: model.device,
      pyodide: this.pyodide.version,
      onnxruntime: model.onnxruntime,
      sessions: model.sessionCount,
    };
  }

  /**
   * @param {string} method  of `twinvec.page.endpoint.Endpoint`
   * @param {object} params
   * @param {Report} [report]
   * @returns {Promise<any>}
   */
  async ask(method, params, report) {
    if (!this.#call) throw new Error("no model is open; `load` is the first request");
    const { value, error } = await this.#call(method, toMaps(params), report && countsTo(report));
    if (error) throw errorFromData(error);
    return value;
  }

  /**
   * Keep all files of an index in the browser; see `RemoteIndexFiles.keepOffline`.
   *
   * @param {string} url
   * @param {Report} report
   */
  async keepOffline(url, report) {
    await this.#remoteIndexes.get(url)?.keepOffline(countsTo(report));
  }

  /**
   * Open the files of an index for Python.
   *
   * @param {string} url
   * @param {ReportCounts} [report]  called with bytes
   */
  #openFolder(url, report) {
    if (url.startsWith(STORED)) return new StoredIndexFiles(url.slice(STORED.length), report);
    const files = new RemoteIndexFiles(url, report);
    this.#remoteIndexes.set(url, files);
    return files;
  }
}

/**
 * @param {Report} report
 * @returns {ReportCounts}
 */
function countsTo(report) {
  return (loaded, total) =>
    report({ status: "progress", progress: (100 * loaded) / total, loaded, total });
}

/**
 * Make maps of objects, of which Pyodide makes dicts whatever their keys are: an object with a key
 * `constructor` it would leave as it is.
 *
 * @param {unknown} value
 * @returns {any}
 */
function toMaps(value) {
  if (Array.isArray(value)) return value.map(toMaps);
  if (Object.prototype.toString.call(value) !== "[object Object]") return value;
  return new Map(Object.entries(/** @type {object} */ (value)).map(([k, v]) => [k, toMaps(v)]));
}
