/**
 * A worker that holds one single-threaded ONNX Runtime session.
 *
 * Several such workers use several cores without cross-origin isolation, which many static hosts do
 * not give. `session-pool.js` queues their runs.
 *
 * @import { SessionMethods } from "../wire/protocol.js"
 * @import { Handlers } from "../wire/server.js"
 * @import { Device, Weights } from "../wire/types.js"
 * @typedef {typeof import("onnxruntime-web")} OnnxRuntime
 */

import { fetchVerified } from "../storage/download.js";
import { explainFailure } from "../storage/site-files.js";
import { isTrap, namedError } from "../wire/errors.js";
import { endWorker, serve } from "../wire/server.js";

/** An ONNX model that has a single `Identity`. */
const SMALLEST_MODEL =
  "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=";

/** Device -> the build of ONNX Runtime that has it. */
const BUILDS = {
  wasm: { module: "ort.wasm.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.wasm" },
  webgpu: { module: "ort.webgpu.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.asyncify.wasm" },
};

const ONLY_ERRORS = 3; // severity

/** The session of this worker, from the first request on. */
class SessionHost {
  /** @type {Device} */
  #device = "wasm";
  /** @type {Promise<OnnxRuntime> | undefined} */
  #starting;
  /** @type {import("onnxruntime-web").InferenceSession | undefined} */
  #session;

  /** @type {Handlers<SessionMethods>["start"]} */
  async start({ runtime, device }) {
    this.#device = device;
    this.#starting = startRuntime(runtime, device).catch(async (error) => {
      const base = new URL("../../", runtime);
      throw await explainFailure(base, runtime.slice(base.href.length), error);
    });
    await this.#starting;
    return { value: undefined };
  }

  /**
   * Open a session of files. They are fetched here because the worker in which Python boots cannot
   * read incoming files in the meantime.
   *
   * @type {Handlers<SessionMethods>["load"]}
   */
  async load({ files }, report) {
    const loading = files.map(async (file) => ({
      path: file.path,
      data: await fetchVerified(file, report),
    }));
    return this.#openSession(await Promise.all(loading));
  }

  /** @type {Handlers<SessionMethods>["open"]} */
  async open({ weights }) {
    return this.#openSession(weights);
  }

  /**
   * Open a session, and give the weights back for the next one.
   *
   * @param {Weights[]} weights  the ONNX file, then its external data
   */
  async #openSession(weights) {
    const ort = await this.#runtime();
    const [onnx, ...external] = weights;
    if (!onnx) throw new Error("a session needs an ONNX file");
    const externalData = external.map(({ path, data }) => ({
      path: path.replace("onnx/", ""),
      data,
    }));
    this.#session = await ort.InferenceSession.create(onnx.data, {
      executionProviders: [this.#device],
      externalData,
      // With WebGPU it would warn that shapes are computed on the CPU, which is intended.
      logSeverityLevel: ONLY_ERRORS,
    });
    const { inputNames, outputNames } = this.#session;
    const value = { inputNames, outputNames, version: ort.env.versions.web, weights };
    return { value, transfer: weights.map(({ data }) => data.buffer) };
  }

  /** @type {Handlers<SessionMethods>["run"]} */
  async run({ run: { dims, inputs }, output }) {
    const ort = await this.#runtime();
    if (!this.#session) throw new Error("no session is open");
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, data]) => [name, new ort.Tensor("int64", data, dims)]),
    );
    const tensor = (await this.#session.run(feeds, [output]).catch(endAfterTrap))[output];
    if (!(tensor?.data instanceof Float32Array)) throw new Error(`${output} is not float32`);
    const data = /** @type {Float32Array<ArrayBuffer>} */ (tensor.data);
    return { value: { dims: tensor.dims, data }, transfer: [data.buffer] };
  }

  #runtime() {
    if (!this.#starting) throw new Error("ONNX Runtime is not started; `start` is first");
    return this.#starting;
  }
}

serve(/** @type {Handlers<SessionMethods>} */ (new SessionHost()));

/**
 * End this worker if WebAssembly trapped or ran out of memory: its state is undefined from then on.
 *
 * @param {unknown} error
 * @returns {never}
 */
function endAfterTrap(error) {
  if (isTrap(error)) endWorker(`ONNX Runtime stopped (${error})`);
  throw error;
}

/**
 * Load and compile ONNX Runtime, before the weights arrive: it takes more than half a second.
 *
 * Only creating a session compiles it, so a smallest one is created.
 *
 * @param {string} runtime  address of its folder
 * @param {Device} device
 * @returns {Promise<OnnxRuntime>}
 */
async function startRuntime(runtime, device) {
  const { module, wasm } = BUILDS[device];
  /** @type {OnnxRuntime} */
  const ort = await import(new URL(module, runtime).href).catch((error) => {
    const problem = "is missing or does not start";
    throw namedError("DownloadError", `${runtime}${module} ${problem} (${error})`);
  });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: new URL(wasm, runtime) };
  const model = Uint8Array.from(atob(SMALLEST_MODEL), (character) => character.charCodeAt(0));
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  await session.release();
  return ort;
}
