/**
 * A worker that holds one single-threaded ONNX Runtime session.
 *
 * Several such workers use several cores without cross-origin isolation, which many static hosts
 * do not give. A session does one run at a time; `host.js` queues them.
 *
 * @import { Handlers } from "./client.js"
 * @import { SessionMethods } from "./protocol.js"
 */

import { serve } from "./client.js";

/** @type {typeof import("onnxruntime-web")} */
let ort;
/** @type {import("onnxruntime-web").InferenceSession} */
let session;

/** @type {Handlers<SessionMethods>} */
const handlers = {
  async open({ runtime, weights, externalData }) {
    ort = await import(new URL("ort.wasm.bundle.min.mjs", runtime).href);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", runtime) };
    const bytes = new Uint8Array(await weights.arrayBuffer());
    const options = { executionProviders: ["wasm"], externalData };
    session = await ort.InferenceSession.create(bytes, options);
    const { inputNames, outputNames } = session;
    return { value: { inputNames, outputNames, version: ort.env.versions.web } };
  },

  async run({ run: { dims, inputs }, output }) {
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
