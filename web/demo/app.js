/**
 * Start the page: the search box, the choices above it, and the steps of loading.
 *
 * @import { Progress, Versions } from "../wire/types.js"
 * @import { TwinvecSearch } from "../search/element.js"
 * @import { OwnTexts } from "./own-texts.js"
 */

import { countNoun, createElement, findElement, showFailure } from "./page.js";

const box = /** @type {TwinvecSearch} */ (findElement("twinvec-search", HTMLElement));
const choices = findElement("#choices", HTMLFormElement);
const steps = findElement("#steps", HTMLUListElement);
const versionsLine = findElement("#versions", HTMLElement);

/** @type {OwnTexts | undefined} */
let ownTexts;

start().catch(showFailure);

async function start() {
  // Imported here, so that the page shows the failure if a module is missing.
  const scripts = [import("../twinvec.js"), import("../twinvec-search.js")];
  await Promise.all([...scripts, chooseIndex()]);
  box.addEventListener("loading", (event) => showStep(/** @type {CustomEvent} */ (event).detail));
  box.addEventListener("ready", () => openModel().catch(() => {}));
  choices.addEventListener("change", applyChoices);
  applyChoices();
  // The box asks for its files first. Then its service worker runs, and keeps these modules too.
  const started = Promise.race([nextEvent("loading"), nextEvent("failure")]);
  box.preload();
  await started;
  const { OwnTexts } = await import("./own-texts.js");
  const { KeptIndexes } = await import("./kept.js");
  ownTexts = new OwnTexts(openModel, applyChoices);
  new KeptIndexes(ownTexts);
}

/** @param {string} type  of an event of the box */
function nextEvent(type) {
  return new Promise((resolve) => box.addEventListener(type, resolve, { once: true }));
}

/**
 * Choose Python's documentation if this site has it, and else the index of `twinvec site`. A host
 * may answer a missing file with a page; without a connection it does not answer.
 */
async function chooseIndex() {
  const manifest = new URL("search/index.json", document.baseURI);
  const hasDocumentation = await fetch(manifest, { cache: "no-cache" })
    .then((response) => response.ok && response.json())
    .catch(() => false);
  const { index, label, placeholder, name } = hasDocumentation
    ? {
        index: "search/",
        label: "Search Python's documentation",
        placeholder: "How do I read a file line by line?",
        name: "Python's documentation",
      }
    : {
        index: "index/",
        label: "Search this site's texts",
        placeholder: "What is a panda?",
        name: "this site's texts",
      };
  for (const attribute of Object.entries({ index, label, placeholder })) {
    box.setAttribute(...attribute);
  }
  findElement("#site-name", HTMLElement).textContent = name;
}

function applyChoices() {
  const values = new FormData(choices);
  const mode = `${values.get("mode")}`;
  // Without the attribute, the box ranks an index that has no terms by meaning.
  if (mode === "hybrid") box.removeAttribute("mode");
  else box.setAttribute("mode", mode);
  box.searchIndex = values.get("corpus") === "own" ? ownTexts?.index : undefined;
}

/** Open the model of the box, which shows its errors and offers to try again. */
async function openModel() {
  const { extractor, index } = await box.load();
  versionsLine.textContent ||= describeVersions(extractor.versions, index.size);
  return extractor;
}

/**
 * @param {Versions} versions
 * @param {number} size  passages of the site's index
 */
function describeVersions(versions, size) {
  const { model, dtype, parity, deviation, python, pyodide, onnxruntime, sessions } = versions;
  const check =
    deviation === undefined
      ? ""
      : ` Its vectors were checked: ${deviation.toExponential(1)} from CPython's.`;
  return (
    `${countNoun(size, "passage")}. Answered by ${model} (${dtype}: ${parity} parity), ` +
    `Python ${python} in Pyodide ${pyodide}, ONNX Runtime Web ${onnxruntime}, ` +
    `${countNoun(sessions, "session")}.${check}`
  );
}

/** @param {Progress} event */
function showStep({ status, name, file, progress, total }) {
  if (file === undefined) return;
  const id = `step-${file}`;
  let row = document.getElementById(id);
  if (status === "initiate" && !row) {
    const bar = createElement("progress", { max: "100", "aria-label": file });
    const label = name === "runtime" ? file : `${file} of ${name}`;
    const text = createElement("span", {}, label);
    row = createElement("li", { id }, text, createElement("small", {}, ""), bar);
    steps.append(row);
  }
  const bar = row?.querySelector("progress");
  const note = row?.querySelector("small");
  if (!bar || !note) return;
  if (status === "progress" && progress !== undefined && total !== undefined) {
    bar.value = progress;
    note.textContent = `${Math.round(progress)} % of ${(total / 1e6).toFixed(1)} MB`;
  }
  if (status === "done") {
    bar.value = 100;
    note.textContent = "ready";
  }
}
