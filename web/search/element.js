/**
 * `<twinvec-search index="search/">`: a search box for any page.
 *
 * It follows the combobox pattern of the WAI-ARIA Authoring Practices: the focus stays in the
 * input, the arrow keys select a hit, Enter opens it, and Escape closes the list.
 *
 * @import { Opened } from "./open-index.js"
 * @import { State } from "./state.js"
 * @import { Hit, Progress } from "../wire/types.js"
 * @import { SearchIndex } from "../api/search-index.js"
 */

import { ATTRIBUTES, OBSERVED, readAttributes } from "./attributes.js";
import { MESSAGES } from "./messages.js";
import { openIndex } from "./open-index.js";
import { changeState, initialState, isListVisible, isPanelVisible } from "./state.js";
import { View } from "./view.js";

/**
 * A search box that loads nothing until a visitor focuses it.
 *
 * It dispatches the events `loading` (with a `Progress`), `ready` and `failure` (with the error).
 * Opening a hit dispatches a cancelable event `hit` with the `Hit` as its `detail`; unless it is
 * canceled, the browser follows the hit's link.
 *
 * @example
 * <twinvec-search index="/search/index/" label="Search the docs"></twinvec-search>
 */
export class TwinvecSearch extends HTMLElement {
  static observedAttributes = OBSERVED;

  #state = initialState();
  #view = new View(this.attachShadow({ mode: "open", delegatesFocus: true }));

  constructor() {
    super();
    const { input, list, retry } = this.#view;
    input.addEventListener("focus", () => this.#handleFocus());
    input.addEventListener("input", () => this.#requestSearch());
    input.addEventListener("keydown", (event) => this.#handleKey(event));
    retry.addEventListener("click", () => this.#retry());
    retry.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      input.focus(); // before the button is hidden
      this.#update({ shown: false });
      event.preventDefault();
    });
    list.addEventListener("click", (event) => this.#dispatchHit(event));
    for (const target of [list, retry]) {
      // Keep the focus in the box: losing it closes the panel before the click arrives.
      target.addEventListener("mousedown", (event) => event.preventDefault());
    }
    this.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget === this) return;
      const { inline } = readAttributes(this, ATTRIBUTES.switch);
      this.#update(inline ? { entered: false } : { shown: false });
    });
    this.#showLabel();
  }

  connectedCallback() {
    // Properties that a script set before this class was defined hide the accessors: set them again.
    const properties = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (this));
    for (const name of ["searchIndex", "value"].filter((name) => Object.hasOwn(this, name))) {
      const value = properties[name];
      delete properties[name];
      properties[name] = value;
    }
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (!this.isConnected) this.#clear(); // else it was only moved
    });
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    this.#showLabel();
    if (before === now || name in ATTRIBUTES.text) return;
    const { opening, failure } = this.#state;
    if (name in ATTRIBUTES.address) this.#clear();
    if (opening || failure !== null) this.#requestSearch();
  }

  /** The text in the input; setting it starts a search. */
  get value() {
    return this.#view.input.value;
  }

  set value(text) {
    this.#view.input.value = text;
    this.#requestSearch();
  }

  /**
   * An index that the page opened itself, searched instead of the one in the attribute `index`.
   *
   * @returns {SearchIndex | undefined}
   */
  get searchIndex() {
    return this.#state.pageIndex;
  }

  set searchIndex(index) {
    this.#state.pageIndex = index;
    this.#requestSearch();
  }

  /**
   * Load the model and the index, as the first focus does. The box disposes of the index when it
   * leaves the page or gets another index.
   *
   * @returns {Promise<Opened>}
   */
  load() {
    if (this.#state.opening) return this.#state.opening;
    const addresses = readAttributes(this, ATTRIBUTES.address);
    const { offline } = readAttributes(this, ATTRIBUTES.switch);
    const opening = openIndex({ ...addresses, offline }, (event) => this.#reportProgress(event));
    this.#update({ opening, loading: true, progress: undefined });
    this.#showStatus(MESSAGES.loading);
    opening.then(
      () => this.#finishLoading(opening, true),
      () => this.#finishLoading(opening, false),
    );
    return opening;
  }

  /** Load before a visitor asks; errors are shown in the box. */
  preload() {
    this.#requestSearch({ load: true });
  }

  /** @param {Progress} event */
  #reportProgress(event) {
    this.dispatchEvent(new CustomEvent("loading", { detail: event }));
    const { status, progress = 0, loaded = 0, total = 0 } = event;
    if (status !== "progress_total" || !this.#state.loading) return;
    const text = progress < 100 ? MESSAGES.loadingBytes(loaded, total) : MESSAGES.nearlyReady;
    this.#update({ progress, status: text }); // not announced: it changes many times a second
  }

  /**
   * @param {Promise<Opened>} opening
   * @param {boolean} succeeded
   */
  #finishLoading(opening, succeeded) {
    if (this.#state.opening !== opening) return; // another index is loading by now
    this.#update({ opening: succeeded ? opening : undefined, loading: false });
    if (this.#state.search === "idle") this.#showStatus("");
    if (succeeded) this.dispatchEvent(new CustomEvent("ready"));
  }

  /** Close the index, also if it is still loading, and empty the list. */
  #clear() {
    this.#closeIndex();
    this.#showHits([], "");
  }

  #closeIndex() {
    this.#state.opening?.then(({ index }) => index.dispose()).catch(() => {}); // it may have failed
    this.#update({ opening: undefined, loading: false });
  }

  #handleFocus() {
    if (this.#state.opening) this.#update({ shown: true });
    else this.#retry();
  }

  /** Load, or try again, and then search for the text in the input. */
  #retry() {
    this.#update({ failure: null });
    this.#requestSearch({ load: true });
    this.#view.input.focus();
  }

  /**
   * Search for the text in the input. While a search is running, any number of requests lead to
   * one more search.
   *
   * @param {{ load?: boolean }} [options]  `load`: load even if the input is empty
   */
  #requestSearch({ load = false } = {}) {
    this.#update({ entered: false, selected: -1, shown: true });
    const { search } = this.#state;
    if (search !== "idle") this.#state.search = "outdated";
    else if (this.#query !== "" || load) this.#runSearches();
    else this.#showHits([], "");
  }

  get #query() {
    return this.#view.input.value.trim();
  }

  async #runSearches() {
    do {
      this.#state.search = "running";
      try {
        await this.#runSearch();
      } catch (error) {
        if (!this.#isOutdated) this.#showFailure(error);
      }
    } while (this.#isOutdated);
    this.#state.search = "idle";
  }

  get #isOutdated() {
    return this.#state.search === "outdated";
  }

  async #runSearch() {
    const options = readAttributes(this, ATTRIBUTES.search); // checked before anything is loaded
    const opened = await this.load();
    const index = this.#state.pageIndex ?? opened.index;
    const query = this.#query;
    const mode = options.mode ?? (index.lexical ? "hybrid" : "semantic");
    const hits = query === "" ? [] : await index.search(query, { ...options, mode });
    if (this.#isOutdated) return;
    this.#showHits(hits, query === "" ? "" : MESSAGES.results(hits.length));
    if (this.#state.entered) this.#openHit();
  }

  /** @param {unknown} error */
  #showFailure(error) {
    // The open index may be unusable: its worker ended, or its files were replaced on the server.
    if (!(error instanceof TypeError)) this.#closeIndex();
    this.#showHits([], "");
    this.#update({ failure: error instanceof Error ? error.message : `${error}` });
    this.dispatchEvent(new CustomEvent("failure", { detail: error }));
    console.error(error);
  }

  /**
   * @param {Hit[]} hits
   * @param {string} status
   */
  #showHits(hits, status) {
    this.#update({ hits, selected: -1, failure: null });
    this.#showStatus(status);
  }

  /**
   * Show a status line, and announce it unless the visitor has left the box.
   *
   * @param {string} status
   */
  #showStatus(status) {
    this.#update({ status });
    this.#view.announce(this.#state.shown ? status : "");
  }

  #showLabel() {
    const { label, placeholder } = readAttributes(this, ATTRIBUTES.text);
    this.#view.label(label, placeholder ?? label);
  }

  /** @param {Partial<State>} changes */
  #update(changes) {
    changeState(this.#state, changes);
    this.#view.render(this.#state);
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    // The key belongs to an input method; Safari ends the composition before its last key.
    if (event.isComposing || event.keyCode === 229) return;
    const { key } = event;
    const { hits, selected, shown, search, loading } = this.#state;
    if (key === "Escape" && isPanelVisible(this.#state)) {
      this.#update({ shown: false });
    } else if (key === "Escape" && this.value !== "") {
      this.value = "";
    } else if (key === "ArrowDown" && hits.length > 0) {
      this.#selectHit((selected + 1) % hits.length);
    } else if (key === "ArrowUp" && hits.length > 0) {
      this.#selectHit(selected > 0 ? selected - 1 : hits.length - 1);
    } else if (key === "Enter" && shown && search !== "idle" && selected < 0) {
      // The hits in the list answer an earlier text, so Enter waits for those of this one. But not
      // while it loads: after some seconds nobody expects the page to change.
      this.#state.entered = !loading;
    } else if (key === "Enter" && isListVisible(this.#state)) {
      this.#openHit();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {number} position */
  #selectHit(position) {
    this.#update({ shown: true, selected: position });
    this.#view.list.children[position]?.scrollIntoView({ block: "nearest" });
  }

  /** Open the selected hit, or the first one. */
  #openHit() {
    const row = this.#view.list.children[Math.max(this.#state.selected, 0)];
    if (row instanceof HTMLElement) row.click();
  }

  /** @param {MouseEvent} event */
  #dispatchHit(event) {
    const row = /** @type {Element} */ (event.target).closest(".hit");
    const position = [...this.#view.list.children].findIndex((child) => child === row);
    const detail = this.#state.hits[position];
    const options = { detail, bubbles: true, composed: true, cancelable: true };
    if (!this.dispatchEvent(new CustomEvent("hit", options))) event.preventDefault();
  }
}
