/**
 * The models of a site: `models/manifest.json`.
 *
 * @import { ModelFile, ModelInfo } from "../wire/types.js"
 */

import { fetchJson } from "../storage/download.js";
import { namedError } from "../wire/errors.js";

/**
 * @param {URL} base  folder of the site's files
 * @returns {Promise<ModelInfo[]>}
 */
export async function fetchModels(base) {
  const url = new URL("models/manifest.json", base);
  const { models } = await fetchJson(url, { cache: "no-cache" }); // the site may have been rebuilt
  return models;
}

/**
 * @param {ModelInfo[]} models
 * @param {string | undefined} name  undefined for the first one
 * @returns {ModelInfo}
 */
export function findModel(models, name) {
  const info = name === undefined ? models[0] : models.find((model) => model.name === name);
  if (info) return info;
  const names = models.map((model) => model.name).join(", ");
  throw namedError("ModelNotFoundError", `this site has no model ${name}; it has ${names}`);
}

/**
 * @param {ModelInfo} info
 * @param {string | undefined} dtype  undefined for the site's first one
 * @returns {string}
 */
export function findDtype(info, dtype) {
  const dtypes = Object.keys(info.weights);
  dtype ??= dtypes[0] ?? "fp32";
  if (dtypes.includes(dtype)) return dtype;
  const message = `${info.name} has no dtype ${dtype} here; it has ${dtypes.join(", ")}`;
  throw namedError("ModelNotFoundError", message);
}

/**
 * Return the ONNX file of a dtype, then its external data.
 *
 * @param {ModelInfo} info
 * @param {string} dtype
 * @param {URL} base
 * @returns {ModelFile[]}
 */
export function weightsFiles(info, dtype, base) {
  const onnx = info.weights[dtype] ?? "";
  const external = Object.keys(info.files).filter((path) => path.startsWith(`${onnx}_data`));
  return [onnx, ...external].map((path) => modelFile(info, path, base));
}

/**
 * @param {ModelInfo} info
 * @param {string} path  relative to the model's folder
 * @param {URL} base
 * @returns {ModelFile}
 */
export function modelFile(info, path, base) {
  const facts = info.files[path];
  if (!facts) throw new Error(`models/manifest.json lists no ${path}; build the site again`);
  const folder = info.name.split("/").map(encodeURIComponent).join("/");
  return { path, url: new URL(`models/${folder}/${path}`, base).href, ...facts };
}
