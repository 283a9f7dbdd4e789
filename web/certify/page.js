/**
 * A certificate for the browser that shows this page.
 *
 * @import { Hits, Measured, Request } from "./measure.js"
 */

import { measure } from "./measure.js";

/**
 * @typedef {object} Expected  results of CPython for one dtype
 * @property {number} bound  largest accepted difference in any dimension of a unit vector
 * @property {Record<string, unknown>} fingerprint
 * @property {string} vectors  as in `Measured`
 * @property {number[][]} ids
 * @property {Record<string, Hits[]>} hits
 *
 * @typedef {Omit<Request, "dtype" | "index"> & { native: Record<string, string>,
 *   dtypes: Record<string, Expected> }} Recorded
 *
 * @typedef {object} Comparison
 * @property {number} texts
 * @property {number} tokenDifferences  texts with other ids
 * @property {number} largestDifference  in any dimension of a unit vector
 * @property {number} lowestCosine
 * @property {boolean} sameFingerprint
 * @property {boolean} sameOrder  of all hits
 * @property {string[]} failures
 */

/**
 * Compare results of this browser with those of CPython.
 *
 * @param {Measured} measured
 * @param {Expected} expected
 * @returns {Comparison}
 */
export function compare(measured, expected) {
  const vectors = fromBase64(measured.vectors);
  const native = fromBase64(expected.vectors);
  const { dim } = measured.versions.fingerprint;
  let largestDifference = vectors.length === native.length ? 0 : Infinity;
  let lowestCosine = 1;
  for (let start = 0; start < native.length; start += dim) {
    let [product, left, right] = [0, 0, 0];
    for (let i = start; i < start + dim; i++) {
      const [a = NaN, b = NaN] = [vectors[i], native[i]];
      const difference = Math.abs(a - b);
      if (!(difference <= largestDifference)) largestDifference = difference; // NaN stays
      product += a * b;
      left += a * a;
      right += b * b;
    }
    if (right > 0) lowestCosine = Math.min(lowestCosine, product / Math.sqrt(left * right));
  }
  const names = (/** @type {Record<string, Hits[]>} */ hits) =>
    JSON.stringify(Object.values(hits).map((lists) => lists.map((list) => list.map(([id]) => id))));
  const comparison = {
    texts: measured.ids.length,
    tokenDifferences: measured.ids.filter(
      (ids, i) => JSON.stringify(ids) !== JSON.stringify(expected.ids[i]),
    ).length,
    largestDifference,
    lowestCosine,
    sameFingerprint: isEqual(measured.versions.fingerprint, expected.fingerprint),
    sameOrder: names(measured.hits) === names(expected.hits),
  };
  return { ...comparison, failures: [...failuresOf(comparison, measured, expected)] };
}

/**
 * @param {Omit<Comparison, "failures">} comparison
 * @param {Measured} measured
 * @param {Expected} expected
 * @returns {Generator<string>}
 */
function* failuresOf(comparison, measured, { bound, fingerprint }) {
  const { tokenDifferences, largestDifference, sameFingerprint, sameOrder } = comparison;
  if (tokenDifferences) yield `${tokenDifferences} texts have other token ids`;
  if (!(largestDifference <= bound)) {
    yield `vectors differ by ${largestDifference.toExponential(1)}, allowed are ${bound}`;
  }
  if (!sameFingerprint) yield "the fingerprint differs";
  if (!sameOrder && fingerprint["parity"] === "exact") yield "a search finds another order";
  if (!measured.invariant) yield "a vector depends on the other texts of its call";
}

/**
 * Compose the verdict as text.
 *
 * @param {Measured} measured
 * @param {Comparison} comparison
 * @param {Record<string, string>} native
 */
export function verdict({ versions, browser, isolated }, comparison, native) {
  const { failures, largestDifference, lowestCosine, texts, tokenDifferences } = comparison;
  return [
    failures.length ? `DIFFERENT: ${failures.join("; ")}` : "SAME VECTORS",
    `model: ${versions.model}, ${versions.dtype} (${versions.parity})`,
    `texts: ${texts}, with other token ids: ${tokenDifferences}`,
    `largest difference: ${largestDifference.toExponential(1)}`,
    `lowest cosine: ${lowestCosine.toFixed(7)}`,
    `same order of search results: ${comparison.sameOrder ? "yes" : "no"}`,
    `browser: ${browser}`,
    `sessions: ${versions.sessions}, cross-origin isolated: ${isolated ? "yes" : "no"}`,
    `page: Pyodide ${versions.pyodide}, onnxruntime-web ${versions.onnxruntime}`,
    `recorded by: ${Object.entries(native)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
  ].join("\n");
}

/**
 * @param {Recorded} recorded
 * @param {string} dtype
 * @param {(done: number, total: number) => void} report
 */
async function certify(recorded, dtype, report) {
  const expected = recorded.dtypes[dtype];
  if (!expected) throw new Error(`nothing is recorded for ${dtype}`);
  const measured = await measure({ ...recorded, dtype, index: `index-${dtype}/` }, report);
  return verdict(measured, compare(measured, expected), recorded.native);
}

/** @param {string} text */
function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/**
 * @param {Record<string, unknown>} left
 * @param {Record<string, unknown>} right
 */
function isEqual(left, right) {
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  // Python's None may arrive as undefined, JSON's null does not.
  return Array.from(names).every((name) => (left[name] ?? null) === (right[name] ?? null));
}

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`the page has no ${selector}`);
  return element;
}

/** Let the visitor choose a dtype, and show the verdict. */
async function show() {
  /** @type {Recorded} */
  const recorded = await (await fetch("record.json")).json();
  const [select, start] = [find("#dtype", HTMLSelectElement), find("#start", HTMLButtonElement)];
  const [status, output] = [find("#status", HTMLElement), find("#verdict", HTMLElement)];
  const copy = find("#copy", HTMLButtonElement);
  select.append(...Object.keys(recorded.dtypes).map((dtype) => new Option(dtype)));
  start.addEventListener("click", async () => {
    start.disabled = true;
    status.textContent = "Opening the model ...";
    try {
      output.textContent = await certify(recorded, select.value, (done, total) => {
        status.textContent = `${done} of ${total} texts`;
      });
      status.textContent = "Done.";
    } catch (error) {
      output.textContent = `DIFFERENT: it does not run here: ${error}\n${navigator.userAgent}`;
      status.textContent = "Failed.";
    }
    output.hidden = copy.hidden = false;
    start.disabled = false;
  });
  start.disabled = false;
  copy.addEventListener("click", () => navigator.clipboard.writeText(output.textContent ?? ""));
}

if (document.querySelector("#start")) await show();
