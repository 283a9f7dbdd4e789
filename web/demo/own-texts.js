/**
 * The visitor's own texts and files, in an index of their own.
 *
 * @import { Extractor } from "../api/extractor.js"
 * @import { SearchIndex } from "../api/search-index.js"
 * @import { Metadata } from "../wire/types.js"
 * @typedef {{ text: string, id?: string, metadata?: Metadata }} Passage
 */

import { countNoun, findElement, hideFailure, showFailure } from "./page.js";
import { readSections } from "./read-files.js";

/** Passages that are embedded before the ranking is shown again. */
const BATCH_PASSAGES = 16;

export class OwnTexts {
  /** @type {{ index?: SearchIndex, hasUnsaved: boolean, adding?: Promise<void> }} */
  #state = { hasUnsaved: false };
  #openModel;
  #onChange;
  #section = findElement("#own", HTMLElement);
  #texts = findElement("#texts", HTMLTextAreaElement);
  #addButton = findElement("#add button", HTMLButtonElement);
  #files = findElement("#files", HTMLInputElement);
  #progress = findElement("#adding", HTMLProgressElement);
  #added = findElement("#added", HTMLElement);
  #truncated = findElement("#truncated", HTMLElement);
  #keepForm = findElement("#keep", HTMLFormElement);
  #name = findElement("#name", HTMLInputElement);
  #choice = findElement("#choices [value=own]", HTMLInputElement);
  #choiceName = findElement("#own-name", HTMLElement);

  /**
   * @param {() => Promise<Extractor>} openModel
   * @param {() => void} onChange  called when texts were added or another index was opened
   */
  constructor(openModel, onChange) {
    this.#openModel = openModel;
    this.#onChange = onChange;
    findElement("#add", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#startAdding(() => this.#addLines());
    });
    this.#files.addEventListener("change", () => {
      const files = [...(this.#files.files ?? [])];
      this.#files.value = "";
      this.#startAdding(() => this.#addFiles(files));
    });
    this.#acceptDrops();
    for (const control of [this.#texts, this.#addButton, this.#files]) control.disabled = false;
  }

  /** The index of the texts, undefined as long as there are none. */
  get index() {
    return this.#state.index;
  }

  /** Wait for texts that are being added. */
  async finishAdding() {
    await this.#state.adding;
  }

  /**
   * Open another index in place of this one, unless the visitor wants to keep unsaved texts.
   *
   * @param {Parameters<Extractor["openIndex"]>[0]} source
   * @param {string} name
   * @returns {Promise<string>}  a message for the visitor
   */
  async replaceIndex(source, name) {
    const extractor = await this.#openModel();
    const index = await extractor.openIndex(source);
    const before = this.#state.index;
    if (before && this.#state.hasUnsaved) {
      const question = `Your texts (${before.size}) are not kept. Open “${name}” without them?`;
      if (!confirm(question)) {
        await index.dispose();
        return `“${name}” was not opened: keep your texts first`;
      }
    }
    this.#state.hasUnsaved = false;
    this.#showIndex(index);
    this.#name.value = name;
    before?.dispose().catch(() => {}); // its worker may have ended
    return `“${name}” opened`;
  }

  /**
   * Save the index.
   *
   * @template T
   * @param {(index: SearchIndex) => Promise<T>} save
   * @returns {Promise<T | undefined>}  undefined without an index
   */
  async saveIndex(save) {
    const { index } = this.#state;
    if (!index) return undefined;
    this.#state.hasUnsaved = false; // texts that are added during the save set it again
    try {
      return await save(index);
    } catch (error) {
      this.#state.hasUnsaved = true;
      throw error;
    }
  }

  #acceptDrops() {
    const section = this.#section;
    section.addEventListener("dragover", (event) => {
      event.preventDefault();
      section.classList.add("over");
    });
    section.addEventListener("dragleave", () => section.classList.remove("over"));
    section.addEventListener("drop", (event) => {
      event.preventDefault();
      section.classList.remove("over");
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) this.#startAdding(() => this.#addFiles(files));
    });
  }

  /**
   * Start to add texts, unless others are being added.
   *
   * @param {() => Promise<void>} add
   */
  #startAdding(add) {
    if (this.#state.adding) return;
    hideFailure();
    this.#texts.readOnly = true; // a disabled control would lose the keyboard's focus
    this.#addButton.ariaDisabled = "true";
    this.#added.textContent = "";
    this.#progress.value = 0;
    this.#progress.hidden = false;
    this.#state.adding = add()
      .catch(showFailure)
      .finally(() => {
        this.#state.adding = undefined;
        this.#texts.readOnly = false;
        this.#addButton.ariaDisabled = null;
        this.#progress.hidden = true;
      });
  }

  async #addLines() {
    const lines = this.#texts.value.split("\n").filter((line) => line.trim() !== "");
    if (lines.length === 0) return;
    const passages = lines.map((text) => ({ text }));
    await this.#addPassages(await this.#openModel(), passages, (done) => {
      this.#texts.value = lines.slice(done).join("\n"); // the rest stays if an error follows
    });
    this.#added.textContent = `${countNoun(lines.length, "text")} added`;
  }

  /** @param {File[]} files */
  async #addFiles(files) {
    const extractor = await this.#openModel();
    let count = 0;
    for (const file of files) {
      if (/\.zip$/i.test(file.name)) {
        const name = file.name.replace(/\.zip$/i, "");
        this.#added.textContent = await this.replaceIndex(file, name);
        continue;
      }
      this.#added.textContent = `reading ${file.name}`;
      const passages = await extractor.passages(file.name, await readSections(file));
      await this.#addPassages(extractor, passages);
      count += passages.length;
      this.#added.textContent = `${countNoun(count, "passage")} added`;
    }
  }

  /**
   * Embed passages and add them, a batch at a time.
   *
   * @param {Extractor} extractor
   * @param {Passage[]} passages
   * @param {(done: number) => void} [onBatch]
   */
  async #addPassages(extractor, passages, onBatch = () => {}) {
    const index = this.#state.index ?? (await extractor.createIndex());
    await removeEarlierVersions(index, passages);
    for (let done = 0; done < passages.length;) {
      const batch = passages.slice(done, done + BATCH_PASSAGES);
      const ids = batch.flatMap(({ id }) => (id === undefined ? [] : [id]));
      const metadata = batch.map((passage) => passage.metadata ?? {});
      const texts = batch.map(({ text }) => text);
      this.#state.hasUnsaved = true;
      const { truncated } = await index.add(texts, { ...(ids.length && { ids }), metadata });
      if (truncated > 0) {
        const { max_length } = extractor.versions.fingerprint;
        const subject = `${countNoun(truncated, "text")} longer than ${max_length} tokens`;
        this.#truncated.textContent = `${subject}: only the beginning counts.`;
      }
      done += batch.length;
      this.#progress.value = done / passages.length;
      onBatch(done);
      this.#showIndex(index);
    }
  }

  /** @param {SearchIndex} index */
  #showIndex(index) {
    this.#state.index = index;
    this.#choiceName.textContent = `your texts (${index.size.toLocaleString("en")})`;
    this.#choice.disabled = false;
    this.#choice.checked = true;
    this.#keepForm.hidden = false;
    this.#onChange();
  }
}

/**
 * Remove the passages of files that are added again.
 *
 * @param {SearchIndex} index
 * @param {Passage[]} passages
 */
async function removeEarlierVersions(index, passages) {
  const sources = new Set(passages.map(({ metadata }) => metadata?.source));
  sources.delete(undefined);
  const documents = await index.documents();
  const earlier = documents.filter(({ metadata }) => sources.has(metadata.source));
  if (earlier.length > 0) await index.remove(earlier.map(({ id }) => id));
}
