/**
 * The indexes that the browser keeps, and the form to keep another or to save it as a file.
 *
 * @import { StoredIndex } from "../wire/types.js"
 * @import { OwnTexts } from "./own-texts.js"
 */

import { listStored, removeStored } from "../twinvec.js";
import { countNoun, createElement, findElement, hideFailure, showFailure } from "./page.js";

const URL_LIFETIME_MS = 60_000;

export class KeptIndexes {
  #ownTexts;
  #list = findElement("#kept", HTMLUListElement);
  #name = findElement("#name", HTMLInputElement);
  #status = findElement("#keeping", HTMLElement);

  /** @param {OwnTexts} ownTexts */
  constructor(ownTexts) {
    this.#ownTexts = ownTexts;
    findElement("#keep", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run(() => this.#keep());
    });
    findElement("#export", HTMLButtonElement).addEventListener("click", () =>
      this.#run(() => this.#saveFile()),
    );
    this.#showList().catch(console.warn); // a browser without storage has no list
  }

  /**
   * Run an action after texts that are being added, and show its message.
   *
   * @param {() => Promise<string>} action
   */
  #run(action) {
    hideFailure();
    this.#status.textContent = "";
    this.#ownTexts
      .finishAdding()
      .then(action)
      .then((message) => (this.#status.textContent = message), showFailure);
  }

  async #keep() {
    await this.#ownTexts.saveIndex((index) => index.save(this.#name.value));
    await this.#showList();
    return `“${this.#name.value}” is kept in this browser`;
  }

  async #saveFile() {
    const file = await this.#ownTexts.saveIndex((index) => index.export());
    if (!file) return "";
    const href = URL.createObjectURL(file);
    createElement("a", { href, download: `${this.#name.value || "index"}.zip` }).click();
    setTimeout(() => URL.revokeObjectURL(href), URL_LIFETIME_MS);
    return "saved as a file";
  }

  /** @param {string} name */
  async #remove(name) {
    await removeStored(name);
    await this.#showList();
    return `“${name}” deleted`;
  }

  async #showList() {
    const indexes = await listStored();
    this.#list.replaceChildren(...indexes.map((index) => this.#createRow(index)));
  }

  /** @param {StoredIndex} index */
  #createRow({ name, size, bytes }) {
    const kilobytes = Math.ceil(bytes / 1000).toLocaleString("en");
    return createElement(
      "li",
      {},
      createElement("strong", {}, name),
      createElement("small", {}, `${countNoun(size, "passage")}, ${kilobytes} kB`),
      this.#createButton("Open", name, () => this.#ownTexts.replaceIndex({ stored: name }, name)),
      this.#createButton("Delete", name, () => this.#remove(name)),
    );
  }

  /**
   * @param {string} verb
   * @param {string} name  of the index
   * @param {() => Promise<string>} action
   */
  #createButton(verb, name, action) {
    const attributes = { type: "button", "aria-label": `${verb} ${name}` };
    const button = createElement("button", attributes, verb);
    button.addEventListener("click", () => this.#run(action));
    return button;
  }
}
