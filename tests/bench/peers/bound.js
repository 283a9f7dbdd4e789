/** One single-threaded session, as `web/session.js` has it, that gives nothing back. */

const runtime = new URL("../runtime/onnxruntime-web/", import.meta.url);
// Not awaited up here: a message that comes before `onmessage` is set would be lost.
const started = import(new URL("ort.wasm.bundle.min.mjs", runtime).href).then((ort) => {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", runtime) };
  return ort;
});
let session;

self.onmessage = async ({ data: { model, ids } }) => {
  const ort = await started;
  if (model) {
    const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer());
    session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } else {
    const dims = [1, ids.length];
    const tensor = (values) => new ort.Tensor("int64", BigInt64Array.from(values), dims);
    await session.run({
      input_ids: tensor(ids.map(BigInt)),
      attention_mask: tensor(ids.map(() => 1n)),
      token_type_ids: tensor(ids.map(() => 0n)),
    });
  }
  self.postMessage(null);
};
