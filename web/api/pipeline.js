/**
 * Open a model of the site in a worker; the call is that of Transformers.js.
 *
 * @import { Extractor } from "./extractor.js"
 * @import { Progress } from "../wire/types.js"
 * @import { WorkerMethods } from "../wire/protocol.js"
 */

import { Client } from "../wire/client.js";
import { folderAddress, HOME } from "./addresses.js";
import { createExtractor } from "./extractor.js";
import { checkOptions } from "./options.js";

const TASK = "feature-extraction";

/**
 * @typedef {object} PipelineOptions
 * @property {string} [dtype]  which weights to open; the site's first by default
 * @property {((progress: Progress) => void) | null} [progress_callback]
 * @property {string} [base]  address of the folder that twinvec was built into
 * @property {number} [max_length]  most tokens of a text; the model's own limit by default
 * @property {number} [truncate_dim]  keep only so many leading dims, for models trained for it
 * @property {boolean} [self_check]  compare a vector with CPython's at load, true by default; a
 *   difference beyond the dtype's bound is a ParityError
 * @property {"wasm" | "webgpu"} [device]  "wasm" by default. WebGPU needs a site that was built
 *   with it, and the self-check. Without an adapter, or where a vector differs, WASM computes and
 *   a warning says why; `versions.device` names the device in use
 */

/**
 * Open a model of this site.
 *
 * @example
 * const extractor = await pipeline("feature-extraction");
 * const { data } = await extractor("Hello world.", { pooling: "mean", normalize: true });
 *
 * @param {string} task  "feature-extraction"
 * @param {string | null} [model]  a name in the site's `models/manifest.json`; its first model by
 *   default
 * @param {PipelineOptions} [options]
 * @returns {Promise<Extractor>}
 */
export async function pipeline(task, model, options) {
  if (task !== TASK) {
    throw new TypeError(`twinvec has the task "${TASK}", not ${JSON.stringify(task)}`);
  }
  const { report, ...params } = checkPipelineOptions(options);
  /** @type {Client<WorkerMethods>} */
  const worker = new Client(new URL("workers/python.js", params.base));
  try {
    const loadParams = { ...params, model: model ?? undefined };
    const versions = await worker.request("load", loadParams, { onProgress: withTotal(report) });
    report({ status: "ready", task, model: versions.model });
    return createExtractor(worker, versions);
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

/**
 * Check the options and fill in the defaults.
 *
 * @param {PipelineOptions | null | undefined} options
 */
function checkPipelineOptions(options) {
  const checked = checkOptions("pipeline", options, [
    "dtype",
    "device",
    "progress_callback",
    "base",
    "max_length",
    "truncate_dim",
    "self_check",
  ]);
  const { dtype, max_length, truncate_dim, self_check = true, device = "wasm" } = checked;
  if (device !== "wasm" && device !== "webgpu") {
    throw new TypeError(`device must be "wasm" or "webgpu", not ${JSON.stringify(device)}`);
  }
  if (device === "webgpu" && !self_check) {
    throw new TypeError(
      'the device "webgpu" needs the self-check, which finds out if it can be used',
    );
  }
  const base = folderAddress(checked.base ?? HOME).href;
  const report = checked.progress_callback ?? (() => {});
  return { base, dtype, device, max_length, truncate_dim, self_check, report };
}

/**
 * Follow each progress event with one about all downloads together, as Transformers.js does.
 *
 * @param {(progress: Progress) => void} report
 * @returns {(progress: Progress) => void}
 */
function withTotal(report) {
  /** @type {Record<string, { loaded: number, total: number }>} */
  const files = {};
  return (event) => {
    report(event);
    const { status, name, file = "", loaded, total } = event;
    if (loaded === undefined || total === undefined) return;
    files[file] = { loaded, total };
    if (status !== "progress") return;
    const sum = { loaded: 0, total: 0 };
    for (const bytes of Object.values(files)) {
      sum.loaded += bytes.loaded;
      sum.total += bytes.total;
    }
    const progress = (100 * sum.loaded) / sum.total;
    report({ status: "progress_total", name, progress, ...sum, files: { ...files } });
  };
}
