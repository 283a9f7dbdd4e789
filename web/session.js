/**
 * A worker that holds one single-threaded ONNX Runtime session.
 *
 * Several such workers use several cores without cross-origin isolation, which many static hosts
 * do not give. ONNX Runtime refuses a run while another one is under way, so they queue.
 *
 * @import { Run } from "./protocol.js"
 */

import { serve } from "./client.js";

/** @type {typeof import("onnxruntime-web")} */
let ort;
/** @type {import("onnxruntime-web").InferenceSession} */
let session;
/** @type {Promise<unknown>} */
let queue = Promise.resolve();

serve({
  /** @param {{ runtime: string, weights: Blob }} params */
  async open({ runtime, weights }) {
    ort = await import(new URL("ort.wasm.bundle.min.mjs", runtime).href);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", runtime) };
    const bytes = new Uint8Array(await weights.arrayBuffer());
    session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    const { inputNames, outputNames } = session;
    return { value: { inputNames, outputNames, version: ort.env.versions.web } };
  },

  /** @param {{ run: Run, output: string }} params */
  run({ run, output }) {
    const answer = queue.then(() => runOne(run, output));
    queue = answer.catch(() => {}); // a failed run does not hold up the next
    return answer;
  },
});

/**
 * @param {Run} run
 * @param {string} output
 */
async function runOne({ dims, inputs }, output) {
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, data]) => [name, new ort.Tensor("int64", data, dims)]),
  );
  const tensor = (await session.run(feeds, [output]))[output];
  const data = /** @type {Float32Array<ArrayBuffer>} */ (tensor.data);
  return { value: { dims: tensor.dims, data }, transfer: [data.buffer] };
}
