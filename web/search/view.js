/**
 * The elements of a search box, rendered from its state.
 *
 * @import { State } from "./state.js"
 * @import { Hit } from "../wire/types.js"
 */

import { createElement, setText } from "./dom.js";
import { MESSAGES } from "./messages.js";
import { createRow } from "./results.js";
import { isListVisible, isPanelVisible } from "./state.js";
import { style } from "./style.js";

export class View {
  input = createElement("input", {
    type: "text",
    role: "combobox",
    part: "input",
    "aria-autocomplete": "list",
    "aria-controls": "hits",
    "aria-expanded": "false",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    enterkeyhint: "search",
  });
  retry = createElement("button", { type: "button", part: "retry" }, MESSAGES.retry);
  list = createElement("div", { id: "hits", role: "listbox", part: "hits", hidden: "" });
  // Outside the panel: screen readers miss a status that appears together with its text.
  #spoken = createElement("p", { class: "spoken", role: "status" });
  #status = createElement("p", { class: "status", part: "status" });
  #bar = createElement("progress", {
    part: "progress",
    max: "100",
    "aria-label": MESSAGES.loading,
    hidden: "",
  });
  #reason = createElement("p", {});
  #failure = createElement(
    "div",
    { class: "failure", part: "failure", role: "alert", hidden: "" },
    this.#reason,
    this.retry,
  );
  #panel = createElement(
    "div",
    { class: "panel", part: "panel", hidden: "" },
    this.#status,
    this.#bar,
    this.#failure,
    this.list,
  );
  /**
   * The hits that the rows of the list were created for.
   *
   * @type {Hit[]}
   */
  #listed = [];

  /** @param {ShadowRoot} root */
  constructor(root) {
    root.adoptedStyleSheets = [style];
    root.append(this.input, this.#spoken, this.#panel);
  }

  /**
   * Name the input and the list.
   *
   * @param {string} label
   * @param {string} placeholder
   */
  label(label, placeholder) {
    this.input.setAttribute("aria-label", label);
    this.list.setAttribute("aria-label", label);
    this.input.placeholder = placeholder;
  }

  /**
   * Let screen readers say a text, even if it equals the last one.
   *
   * @param {string} text
   */
  announce(text) {
    this.#spoken.textContent = text;
  }

  /** @param {State} state */
  render(state) {
    setText(this.#status, state.status);
    this.#bar.hidden = !state.loading;
    if (state.progress === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = state.progress;
    setText(this.#reason, state.failure ?? "");
    this.#failure.hidden = state.failure === null;
    this.#renderList(state);
    this.#panel.hidden = !isPanelVisible(state);
  }

  /** @param {State} state */
  #renderList(state) {
    const { hits, selected, pageIndex } = state;
    if (hits !== this.#listed) {
      const rows = hits.map((hit, position) => createRow(hit, position, pageIndex === undefined));
      this.list.replaceChildren(...rows);
      this.#listed = hits;
    }
    for (const [position, row] of [...this.list.children].entries()) {
      row.setAttribute("aria-selected", String(position === selected));
    }
    const row = this.list.children[selected];
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
    this.list.hidden = !isListVisible(state);
    this.input.setAttribute("aria-expanded", String(isListVisible(state)));
  }
}
