/**
 * A worker that holds one single-threaded ONNX Runtime session.
 *
 * Several such workers use several cores without cross-origin isolation, which many static hosts
 * do not give. A session does one run at a time; `model.js` queues them.
 *
 * @import { Handlers } from "../wire/client.js"
 * @import { SessionMethods } from "../wire/protocol.js"
 * @import { Device, Weights } from "../wire/types.js"
 */

import { fetchVerified } from "../storage/download.js";
import { named, serve } from "../wire/client.js";

/** An ONNX model of one `Identity`. */
const SMALLEST =
  "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=";

/** Execution provider -> the build of ONNX Runtime that has it. */
const BUILDS = {
  wasm: { module: "ort.wasm.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.wasm" },
  webgpu: { module: "ort.webgpu.bundle.min.mjs", wasm: "ort-wasm-simd-threaded.asyncify.wasm" },
};

/** @type {Device} */
let provider;
/** @type {Promise<typeof import("onnxruntime-web")>} */
let started;
/** @type {import("onnxruntime-web").InferenceSession} */
let session;

/** @type {Handlers<SessionMethods>} */
const handlers = {
  async start({ runtime, device }) {
    provider = device;
    started = startRuntime(runtime);
    await started;
    return { value: undefined };
  },

  // Fetched here and not in Python's worker, which cannot read what arrives while Python boots.
  async load({ files }, report) {
    const fetched = files.map(async (file) => ({
      path: file.path,
      data: await fetchVerified(file, report),
    }));
    return open(await Promise.all(fetched));
  },

  open: ({ weights }) => open(weights),

  async run({ run: { dims, inputs }, output }) {
    const ort = await started;
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, data]) => [name, new ort.Tensor("int64", data, dims)]),
    );
    const tensor = (await session.run(feeds, [output]))[output];
    if (!(tensor?.data instanceof Float32Array)) throw new Error(`${output} is not float32`);
    const data = /** @type {Float32Array<ArrayBuffer>} */ (tensor.data);
    return { value: { dims: tensor.dims, data }, transfer: [data.buffer] };
  },
};

serve(handlers);

/**
 * Load and compile ONNX Runtime, which takes more than half a second, before there are weights.
 * Only making a session does; so a smallest one is made.
 *
 * @param {string} runtime
 */
async function startRuntime(runtime) {
  const { module, wasm } = BUILDS[provider];
  /** @type {typeof import("onnxruntime-web")} */
  const ort = await import(new URL(module, runtime).href).catch((error) => {
    throw named("DownloadError", `${runtime}${module} is not there or does not start (${error})`);
  });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: new URL(wasm, runtime) };
  const model = Uint8Array.from(atob(SMALLEST), (character) => character.charCodeAt(0));
  await (await ort.InferenceSession.create(model, { executionProviders: ["wasm"] })).release();
  return ort;
}

/**
 * @param {Weights[]} weights  the ONNX file first; they are given back, for the next session
 */
async function open(weights) {
  const ort = await started;
  const [onnx, ...rest] = /** @type {[Weights, ...Weights[]]} */ (weights);
  const externalData = rest.map(({ path, data }) => ({ path: path.replace("onnx/", ""), data }));
  // With WebGPU it would warn that shapes are computed on the CPU, as they are meant to be.
  const logSeverityLevel = /** @type {const} */ (3);
  const options = { executionProviders: [provider], externalData, logSeverityLevel };
  session = await ort.InferenceSession.create(onnx.data, options);
  const { inputNames, outputNames } = session;
  const value = { inputNames, outputNames, version: ort.env.versions.web, weights };
  return { value, transfer: weights.map(({ data }) => data.buffer) };
}
