/**
 * The page: a search box, texts and files of the visitor's own, and what the browser keeps of them.
 *
 * @import { Progress, StoredIndex, Versions } from "../wire/types.js"
 * @import { Extractor } from "../api/pipeline.js"
 * @import { SearchIndex } from "../api/search-index.js"
 * @import { TwinvecSearch } from "../search/element.js"
 * @typedef {{ text: string, id?: string, metadata?: object }} Passage
 */

/** So many passages are embedded between two looks at the ranking. */
const CHUNK = 16;

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
  choices: find("#choices", HTMLFormElement),
  ownChoice: find("#choices [value=own]", HTMLInputElement),
  siteName: find("#site-name", HTMLElement),
  ownName: find("#own-name", HTMLElement),
  failure: find("#failure", HTMLElement),
  reason: find("#failure p", HTMLElement),
  own: find("#own", HTMLElement),
  add: find("#add", HTMLFormElement),
  texts: find("#texts", HTMLTextAreaElement),
  button: find("#add button", HTMLButtonElement),
  files: find("#files", HTMLInputElement),
  adding: find("#adding", HTMLProgressElement),
  added: find("#added", HTMLElement),
  truncated: find("#truncated", HTMLElement),
  keep: find("#keep", HTMLFormElement),
  name: find("#name", HTMLInputElement),
  export: find("#export", HTMLButtonElement),
  kept: find("#kept", HTMLUListElement),
  keeping: find("#keeping", HTMLElement),
  loading: find("#loading", HTMLDetailsElement),
  steps: find("#steps", HTMLUListElement),
  versions: find("#versions", HTMLElement),
};
export {}; // a module, in which the page may wait

const box = /** @type {TwinvecSearch} */ (find("twinvec-search", HTMLElement));
/** @type {SearchIndex | undefined} */
let own;
/** Whether texts were added that are kept nowhere else. */
let unsaved = false;

try {
  // Imported here, so that a module that is missing is told like everything else.
  const { readSections } = await import("./read-files.js");
  const { listStored, removeStored } = await import("../twinvec.js");
  await import("../twinvec-search.js");
  await chooseIndex();
  box.addEventListener("loading", (event) => showStep(/** @type {CustomEvent} */ (event).detail));
  page.choices.addEventListener("change", choose);
  choose();
  start(readSections, { listStored, removeStored });
} catch (error) {
  fail(error);
}

/**
 * Search the documentation that `build.py` indexes, or else what `twinvec site` wrote. A host may
 * answer what is not there with a page, and without a connection nothing does.
 */
async function chooseIndex() {
  const file = new URL("search/index.json", document.baseURI);
  const found = await fetch(file, { cache: "no-cache" })
    .then((response) => response.ok && response.json())
    .catch(() => false);
  box.setAttribute("index", found ? "search/" : "index/");
  box.setAttribute("label", found ? "Search Python's documentation" : "Search this site's texts");
  box.setAttribute(
    "placeholder",
    found ? "How do I read a file line by line?" : "What is a panda?",
  );
  page.siteName.textContent = found ? "Python's documentation" : "this site's texts";
}

function choose() {
  const chosen = new FormData(page.choices);
  const mode = `${chosen.get("mode")}`;
  if (mode === "hybrid")
    box.removeAttribute("mode"); // what an index without terms cannot do
  else box.setAttribute("mode", mode);
  box.searchIndex = chosen.get("corpus") === "own" ? own : undefined;
}

/**
 * @param {typeof import("./read-files.js").readSections} readSections
 * @param {{ listStored: () => Promise<StoredIndex[]>,
 *   removeStored: (name: string) => Promise<void> }} stored
 */
function start(readSections, { listStored, removeStored }) {
  /** @type {string | undefined} */
  let told;
  /** Load; the box tells what fails, and offers to try again. */
  const opened = async () => {
    const { extractor, index } = await box.load();
    page.versions.textContent = told ??= described(extractor.versions, index.size);
    return extractor;
  };

  /** @param {SearchIndex} index */
  function use(index) {
    own = index;
    page.ownName.textContent = `your texts (${index.size.toLocaleString("en")})`;
    page.ownChoice.disabled = false;
    page.ownChoice.checked = true;
    page.keep.hidden = false;
    choose();
  }

  /**
   * Take an index in place of the visitor's own, unless what is not kept would be lost by that.
   *
   * @param {Parameters<Extractor["openIndex"]>[0]} source
   * @param {string} name
   * @returns {Promise<string>}  what was done
   */
  async function replaceOwn(source, name) {
    const index = await (await opened()).openIndex(source);
    const lost =
      own && unsaved && `Your texts (${own.size}) are not kept. Open “${name}” without them?`;
    if (lost && !confirm(lost)) {
      await index.dispose();
      return `“${name}” was not opened: keep your texts first`;
    }
    const before = own;
    unsaved = false;
    use(index);
    page.name.value = name;
    before?.dispose().catch(() => {}); // its worker may have ended
    return `“${name}” opened`;
  }

  /**
   * @param {Extractor} extractor
   * @param {Passage[]} passages
   * @param {(done: number) => void} [report]
   */
  async function addAll(extractor, passages, report = () => {}) {
    const index = own ?? (await extractor.createIndex());
    const before = new Set(passages.map(({ metadata }) => /** @type {any} */ (metadata)?.source));
    before.delete(undefined);
    const old = (await index.documents()).filter(({ metadata }) => before.has(metadata.source));
    if (old.length > 0) await index.remove(old.map(({ id }) => id)); // a newer version of a file
    for (let done = 0; done < passages.length;) {
      const chunk = passages.slice(done, done + CHUNK);
      const ids = chunk.flatMap(({ id }) => (id === undefined ? [] : [id]));
      const metadata = chunk.map((one) => one.metadata ?? {});
      const texts = chunk.map(({ text }) => text);
      unsaved = true;
      const { truncated } = await index.add(texts, { ...(ids.length && { ids }), metadata });
      const { max_length } = extractor.versions.fingerprint;
      if (truncated > 0) {
        const which = counted(truncated, "text");
        page.truncated.textContent = `${which} longer than ${max_length} tokens: only the beginning counts.`;
      }
      done += chunk.length;
      page.adding.value = done / passages.length;
      report(done);
      use(index);
    }
  }

  async function addLines() {
    const lines = page.texts.value.split("\n").filter((line) => line.trim() !== "");
    if (lines.length === 0) return;
    const passages = lines.map((text) => ({ text }));
    await addAll(await opened(), passages, (done) => {
      page.texts.value = lines.slice(done).join("\n"); // what is left, should something fail
    });
    page.added.textContent = `${counted(lines.length, "text")} added`;
  }

  /** @param {File[]} files */
  async function addFiles(files) {
    const extractor = await opened();
    let count = 0;
    for (const file of files) {
      if (/\.zip$/i.test(file.name)) {
        page.added.textContent = await replaceOwn(file, file.name.replace(/\.zip$/i, ""));
        continue;
      }
      page.added.textContent = `reading ${file.name}`;
      const passages = await extractor.passages(file.name, await readSections(file));
      await addAll(extractor, passages);
      count += passages.length;
      page.added.textContent = `${counted(count, "passage")} added`;
    }
  }

  /** @type {Promise<void> | undefined} */
  let working;
  /** @param {() => Promise<void>} work */
  function busy(work) {
    if (working) return; // one at a time
    page.failure.hidden = true;
    page.texts.readOnly = true; // not disabled: the keyboard's focus stays
    page.button.ariaDisabled = "true";
    page.added.textContent = "";
    page.adding.value = 0;
    page.adding.hidden = false;
    working = work()
      .catch(fail)
      .finally(() => {
        working = undefined;
        page.texts.readOnly = false;
        page.button.ariaDisabled = null;
        page.adding.hidden = true;
      });
  }

  async function showKept() {
    const kept = await listStored();
    page.kept.replaceChildren(
      ...kept.map(({ name, size, bytes }) => {
        const note = `${counted(size, "passage")}, ${Math.ceil(bytes / 1000).toLocaleString("en")} kB`;
        const open = element("button", { type: "button", "aria-label": `Open ${name}` }, "Open");
        const remove = element(
          "button",
          { type: "button", "aria-label": `Delete ${name}` },
          "Delete",
        );
        open.addEventListener("click", () => tell(() => replaceOwn({ stored: name }, name)));
        remove.addEventListener("click", () =>
          tell(async () => {
            await removeStored(name);
            await showKept();
            return `“${name}” deleted`;
          }),
        );
        return element(
          "li",
          {},
          element("strong", {}, name),
          element("small", {}, note),
          open,
          remove,
        );
      }),
    );
  }

  /** @param {() => Promise<string>} work  after what is being added */
  function tell(work) {
    page.failure.hidden = true;
    page.keeping.textContent = "";
    Promise.resolve(working)
      .then(work)
      .then((done) => (page.keeping.textContent = done), fail);
  }

  /**
   * @template T
   * @param {Promise<T> | undefined} keeping
   */
  async function keptBy(keeping) {
    unsaved = false; // what is added from now on sets it again
    try {
      return await keeping;
    } catch (error) {
      unsaved = true;
      throw error;
    }
  }

  page.add.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(addLines);
  });
  page.files.addEventListener("change", () => {
    const chosen = [...(page.files.files ?? [])];
    page.files.value = "";
    busy(() => addFiles(chosen));
  });
  page.own.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.own.classList.add("over");
  });
  page.own.addEventListener("dragleave", () => page.own.classList.remove("over"));
  page.own.addEventListener("drop", (event) => {
    event.preventDefault();
    page.own.classList.remove("over");
    const dropped = [...(event.dataTransfer?.files ?? [])];
    if (dropped.length > 0) busy(() => addFiles(dropped));
  });
  page.keep.addEventListener("submit", (event) => {
    event.preventDefault();
    tell(async () => {
      await keptBy(own?.save(page.name.value));
      await showKept();
      return `“${page.name.value}” is kept in this browser`;
    });
  });
  page.export.addEventListener("click", () =>
    tell(async () => {
      const file = await keptBy(own?.export());
      if (!file) return "";
      const href = URL.createObjectURL(file);
      element("a", { href, download: `${page.name.value || "index"}.zip` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
      return "saved as a file";
    }),
  );
  for (const control of [page.texts, page.button, page.files]) control.disabled = false;
  showKept().catch(console.warn); // a browser that keeps nothing has nothing to list
  box.addEventListener("ready", () => opened().catch(() => {}));
  box.preload();
}

/**
 * @param {Versions} versions
 * @param {number} size
 */
function described(versions, size) {
  const { model, dtype, parity, deviation, python, pyodide, onnxruntime, sessions } = versions;
  const checked =
    deviation === undefined
      ? ""
      : ` Its vectors were checked: ${deviation.toExponential(1)} from CPython's.`;
  return (
    `${counted(size, "passage")}. Answered by ${model} (${dtype}: ${parity} parity), Python ${python} ` +
    `in Pyodide ${pyodide}, ONNX Runtime Web ${onnxruntime}, ${counted(sessions, "session")}.${checked}`
  );
}

/**
 * @param {number} count
 * @param {string} noun
 */
function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
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
