/**
 * Fetch, verify and open a model of this site.
 *
 * @import { SessionMethods } from "../wire/protocol.js"
 * @import { Device, ModelFile, ModelInfo, OpenedSession, Progress, Run, Weights } from "../wire/types.js"
 * @typedef {(progress: Progress) => void} Report
 */

import { keep, keepOnly } from "../storage/cache.js";
import { Client } from "../wire/client.js";
import { fetchModels, findDtype, findModel, modelFile, weightsFiles } from "./manifest.js";
import { sessionCountFor, SessionPool } from "./session-pool.js";
import { openTokenizer } from "./tokenizer.js";

/** Device -> folder of ONNX Runtime in a site's `runtime/`. */
const RUNTIMES = { wasm: "onnxruntime-web", webgpu: "onnxruntime-webgpu" };

/**
 * @param {URL} base  folder of the site's files
 * @param {{ name?: string | undefined, dtype?: string | undefined, device: Device }} choice  the
 *   site's first model and the model's first dtype unless given
 * @param {Report} report
 * @returns {Promise<{ model: LoadedModel, settle: () => Promise<void> }>}  the model, which can embed
 *   with one session; `settle` keeps the files, then opens the other sessions
 */
export async function openModel(base, { name, dtype: requestedDtype, device }, report) {
  const step = { name: "runtime", file: RUNTIMES[device] };
  const start = () => startSession(base, device);
  report({ status: "initiate", ...step });
  const session = start(); // compiles while the manifest and the weights arrive
  const models = await fetchModels(base);
  const info = findModel(models, name);
  const dtype = findDtype(info, requestedDtype);
  const weights = weightsFiles(info, dtype, base);
  const vocabulary = modelFile(info, "tokenizer.json", base);
  const onProgress = (/** @type {Progress} */ progress) => report({ name: info.name, ...progress });
  // All files are announced first, so that the total of the progress is known from the beginning.
  for (const { path, bytes } of [vocabulary, ...weights]) {
    onProgress({ status: "initiate", file: path, loaded: 0, total: bytes });
  }
  const [tokenizer, opened] = await Promise.all([
    openTokenizer(base, vocabulary, onProgress),
    session.request("load", { files: weights }, { onProgress }),
  ]).catch((error) => {
    session.terminate();
    throw error;
  });
  report({ status: "done", ...step });
  const bytes = weights.reduce((sum, file) => sum + file.bytes, 0);
  const count = device === "webgpu" ? 1 : sessionCountFor(bytes); // more would share one GPU
  const pool = new SessionPool(session);
  const model = new LoadedModel({ info, dtype, device, tokenizer, opened, pool, count });
  const settle = async () => {
    // First: a phone may end this page when further sessions open, and has the files next time.
    await keepFiles(base, models, weights, opened.weights);
    await pool.grow(count, start, opened.weights);
  };
  return { model, settle };
}

/**
 * @param {URL} base
 * @param {Device} device
 */
function startSession(base, device) {
  const runtime = new URL(`runtime/${RUNTIMES[device]}/`, base).href;
  /** @type {Client<SessionMethods>} */
  const session = new Client(new URL("workers/session.js", base));
  session.request("start", { runtime, device }).catch(() => {}); // later requests report it
  return session;
}

/**
 * Keep the weights, and drop kept files that are no longer part of the site's models.
 *
 * @param {URL} base
 * @param {ModelInfo[]} models
 * @param {ModelFile[]} files
 * @param {Weights[]} weights  contents of the files
 */
async function keepFiles(base, models, files, weights) {
  const contents = new Map(weights.map(({ path, data }) => [path, data]));
  for (const file of files) {
    const content = contents.get(file.path);
    if (content) await keep(file, content);
  }
  const current = models.flatMap((model) => Object.values(model.files));
  await keepOnly(
    new URL("models/", base),
    current.map(({ sha256 }) => sha256),
  );
}

/** A model as Python sees it: `twinvec.runtime.pyodide` reads these properties. */
export class LoadedModel {
  #pool;

  /**
   * @param {{ info: ModelInfo, dtype: string, device: Device,
   *   tokenizer: Awaited<ReturnType<typeof openTokenizer>>, opened: OpenedSession,
   *   pool: SessionPool, count: number }} parts  `count` of sessions that the pool will have
   */
  constructor({ info, dtype, device, tokenizer, opened, pool, count }) {
    this.info = JSON.stringify(info);
    this.dtype = dtype;
    this.device = device;
    this.postProcessor = tokenizer.postProcessor;
    this.encode = tokenizer.encode;
    this.inputNames = opened.inputNames;
    this.outputNames = opened.outputNames;
    this.onnxruntime = opened.version;
    this.sessionCount = count;
    /** Resolves to the reason when all sessions have ended. */
    this.whenEnded = pool.whenEnded;
    this.#pool = pool;
  }

  /**
   * @param {Run} run
   * @param {string} output
   * @returns {Promise<import("../wire/types.js").Output | { error: string }>}  never rejected, as
   *   Python may no longer await it
   */
  async run(run, output) {
    try {
      return await this.#pool.run(run, output);
    } catch (error) {
      return { error: `${error}` };
    }
  }

  dispose() {
    this.#pool.dispose();
  }
}
