/**
 * The page: loading steps, a query, ranked texts, texts of one's own. DOM only.
 *
 * @import { Document, Hit, Progress, Versions } from "./protocol.js"
 * @import { SearchIndex } from "./twinvec.js"
 */

/** So many texts are embedded between two looks at the ranking. */
const CHUNK = 8;
const SHOWN = 50;

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

const page = {
  loading: find("#loading", HTMLElement),
  title: find("#loading h2", HTMLElement),
  steps: find("#steps", HTMLUListElement),
  failure: find("#failure", HTMLElement),
  reason: find("#failure p", HTMLElement),
  reload: find("#failure button", HTMLButtonElement),
  search: find("#search", HTMLFormElement),
  query: find("#query", HTMLInputElement),
  summary: find("#summary", HTMLElement),
  results: find("#results", HTMLOListElement),
  add: find("#add", HTMLFormElement),
  texts: find("#texts", HTMLTextAreaElement),
  button: find("#add button", HTMLButtonElement),
  adding: find("#adding", HTMLProgressElement),
  added: find("#added", HTMLElement),
  truncated: find("#truncated", HTMLElement),
  versions: find("#versions", HTMLElement),
};
export {}; // a module, in which the page may wait

page.search.addEventListener("submit", (event) => event.preventDefault());
page.reload.addEventListener("click", () => location.reload());

try {
  // Imported here, so that a module that is missing is told like everything else.
  const { fetchJson } = await import("./download.js");
  const { pipeline } = await import("./twinvec.js");
  // Asked for first, so that a site without an index is told at once.
  await fetchJson(new URL("index/index.json", document.baseURI));
  const extractor = await pipeline("feature-extraction", undefined, { progress_callback: showStep });
  const index = await extractor.openIndex("index/");
  page.versions.textContent = described(extractor.versions);
  start(index, extractor.versions.fingerprint.max_length);
} catch (error) {
  page.title.textContent = "Loading failed";
  for (const bar of page.steps.querySelectorAll("progress")) bar.value ||= 0; // ends its animation
  fail(error);
}

/**
 * @param {Versions} versions
 * @returns {string}
 */
function described({ model, dtype, parity, deviation, python, pyodide, onnxruntime, sessions }) {
  const checked =
    deviation === undefined ? "" : ` Its vectors were checked: ${deviation.toExponential(1)} from CPython's.`;
  return (
    `Answered by ${model} (${dtype}: ${parity} parity), Python ${python} in Pyodide ${pyodide}, ` +
    `ONNX Runtime Web ${onnxruntime}, ${sessions} session${sessions === 1 ? "" : "s"}.${checked}`
  );
}

/**
 * @param {SearchIndex} index
 * @param {number} maxLength  tokens that the model takes
 */
function start(index, maxLength) {
  let wanted = false;
  /** @type {Promise<void> | undefined} */
  let ranking;

  /** Rank again; what was typed meanwhile is one more search, not one a key. */
  function rank() {
    wanted = true;
    ranking ??= (async () => {
      while (wanted) {
        wanted = false;
        await rankOnce();
      }
    })().finally(() => (ranking = undefined));
    return ranking;
  }

  async function rankOnce() {
    const query = page.query.value.trim();
    if (query === "") {
      showTexts(await index.documents(0, SHOWN), index.size);
      return;
    }
    const hits = await index.search(query, { k: SHOWN });
    showHits(hits, index.size);
    page.failure.hidden = true;
  }

  async function add() {
    const lines = page.texts.value.split("\n").filter((line) => line.trim() !== "");
    if (lines.length === 0) return;
    page.texts.readOnly = true; // not disabled: the keyboard's focus stays
    page.button.ariaDisabled = "true";
    page.added.textContent = "";
    page.adding.hidden = false;
    for (let done = 0; done < lines.length; ) {
      const chunk = lines.slice(done, done + CHUNK);
      const { truncated } = await index.add(chunk);
      if (truncated > 0) {
        page.truncated.textContent =
          `${counted(truncated)} longer than ${maxLength} tokens: only the beginning counts.`;
      }
      done += chunk.length;
      page.adding.value = done / lines.length;
      page.texts.value = lines.slice(done).join("\n"); // what is left, should something fail
      await rank();
    }
    page.added.textContent = `${counted(lines.length)} added`;
  }

  page.query.addEventListener("input", () => rank().catch(fail));
  page.add.addEventListener("submit", (event) => {
    event.preventDefault();
    if (page.texts.readOnly) return; // one at a time
    add()
      .catch(fail)
      .finally(() => {
        page.texts.readOnly = false;
        page.button.ariaDisabled = null;
        page.adding.hidden = true;
      });
  });
  for (const control of [page.texts, page.button]) control.disabled = false;
  page.loading.hidden = true;
  rank().catch(fail);
}

/**
 * @param {Document[]} documents
 * @param {number} count
 */
function showTexts(documents, count) {
  page.summary.textContent = counted(count);
  page.results.replaceChildren(
    ...documents.map(({ text }) => element("li", {}, element("span", {}, text))),
  );
}

/**
 * @param {Hit[]} hits
 * @param {number} count
 */
function showHits(hits, count) {
  page.summary.textContent = `${hits.length} of ${counted(count)}, the nearest in meaning first`;
  page.results.replaceChildren(
    ...hits.map(({ text, score }) => {
      const shown = score.toFixed(4);
      return element(
        "li",
        {},
        element("span", {}, text),
        element("data", { value: String(score), title: "cosine similarity" }, shown),
        element("meter", { min: "0", max: "1", value: String(score), "aria-hidden": "true" }),
      );
    }),
  );
}

/** @param {number} count */
function counted(count) {
  return count === 1 ? "1 text" : `${count} texts`;
}

/** @param {Progress} event */
function showStep({ status, name, file, progress, total }) {
  if (file === undefined) return;
  const id = `step-${file}`;
  let row = document.getElementById(id);
  if (status === "initiate" && !row) {
    const bar = element("progress", { max: "100", "aria-label": file });
    const label = name === "runtime" ? file : `${file} of ${name}`;
    row = element("li", { id }, element("span", {}, label), element("small", {}, ""), bar);
    page.steps.append(row);
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

/** @param {unknown} error */
function fail(error) {
  page.failure.hidden = false;
  page.reason.textContent = error instanceof Error ? `${error.name}: ${error.message}` : `${error}`;
  page.failure.scrollIntoView({ block: "nearest" });
  console.error(error);
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(string | Node)} children  a string becomes text, never markup
 */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
