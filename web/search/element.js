/**
 * `<twinvec-search index="search/">`: a search box for any page.
 *
 * Nothing is loaded before a visitor turns to it. It follows the combobox pattern of the WAI-ARIA
 * Authoring Practices: the focus stays in the input, the arrow keys choose among the hits below it,
 * Enter opens one, Escape closes the list.
 *
 * @import { Opened } from "./open-index.js"
 * @import { Hit, Progress } from "../wire/types.js"
 * @import { SearchIndex } from "../api/search-index.js"
 */

import { open } from "./open-index.js";

// Not a <style> element, which a Content-Security-Policy without 'unsafe-inline' would refuse.
const style = new CSSStyleSheet();
style.replaceSync(`
  :host {
    /* Names of its own, which no page's can meet. */
    --_accent: var(--twinvec-accent, light-dark(#0b6b5e, #4fc3ae));
    --_background: var(--twinvec-background, Canvas);
    --_border: var(--twinvec-border, light-dark(#7d8791, #6f7a86));
    --_color: var(--twinvec-color, CanvasText);
    --_error: var(--twinvec-error, light-dark(#b3261e, #f2857d));
    --_muted: var(--twinvec-muted, light-dark(#555e68, #a5adb7));
    --_radius: var(--twinvec-radius, 0.5rem);
    display: block;
    position: relative;
    color: var(--_color);
    font: inherit;
    text-align: start;
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  input, button {
    padding: 0.6rem 0.75rem;
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    color: inherit;
    background: var(--_background);
    font: inherit;
  }
  input { width: 100%; }
  button { border-color: currentColor; cursor: pointer; font-weight: 600; }
  :focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
  .panel {
    position: absolute;
    inset-inline: 0;
    z-index: 10;
    max-height: min(32rem, 70vh);
    margin-top: 0.35rem;
    padding: 0.5rem 0.75rem;
    overflow: auto;
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    background: var(--_background);
    box-shadow: 0 0.5rem 1.5rem rgb(0 0 0 / 20%);
  }
  :host([inline]) .panel {
    position: static;
    max-height: none;
    padding: 0;
    border: 0;
    box-shadow: none;
  }
  .spoken {
    position: absolute; /* seen by screen readers alone */
    width: 1px;
    height: 1px;
    margin: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }
  .status { margin: 0.25rem 0; color: var(--_muted); font-size: 0.9em; }
  progress { width: 100%; height: 0.5rem; accent-color: var(--_accent); }
  .failure { margin: 0.5rem 0; color: var(--_error); overflow-wrap: anywhere; }
  .failure p { margin: 0 0 0.5rem; }
  .hit {
    display: block;
    padding: 0.6rem 0.5rem;
    border-top: 1px solid color-mix(in srgb, var(--_border) 45%, transparent);
    border-inline-start: 3px solid transparent;
    color: inherit;
    text-decoration: none;
    cursor: pointer;
  }
  .hit[aria-selected="true"], .hit:hover {
    border-inline-start-color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 12%, transparent);
  }
  .hit > * { display: block; overflow-wrap: anywhere; }
  .heading { font-weight: 600; }
  a .heading { color: var(--_accent); }
  .source { color: var(--_muted); font-size: 0.85em; }
  .passage {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: var(--twinvec-lines, 4);
    overflow: hidden;
  }
  @media (forced-colors: active) {
    .hit[aria-selected="true"] { outline: 3px solid Highlight; outline-offset: -3px; }
  }
`);

/** What a browser shows itself; of other files a hit's source is no link. */
const SHOWN = /(\/|\.html?|\.xhtml|\.txt|\.pdf)$/i;

const MODES = ["hybrid", "semantic", "lexical"];

/**
 * A search box. It tells `loading`, `ready` and `failure` as events. A hit that is
 * chosen is a cancelable event `hit` with the `Hit` as its `detail`;
 * unless it is canceled, the hit's page is opened.
 */
export class TwinvecSearch extends HTMLElement {
  static observedAttributes = ["index", "base", "k", "mode", "label", "placeholder"];

  #input = make("input", {
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
  #status = make("p", { class: "status", part: "status" });
  /** What screen readers are told: outside of the panel, as they miss what appears with its text. */
  #spoken = make("p", { class: "spoken", role: "status" });
  #bar = make("progress", { part: "progress", max: "100", "aria-label": "Loading", hidden: "" });
  #reason = make("p", {});
  #retry = make("button", { type: "button", part: "retry" }, "Try again");
  #failure = make(
    "div",
    { class: "failure", part: "failure", role: "alert", hidden: "" },
    this.#reason,
    this.#retry,
  );
  #list = make("div", { id: "hits", role: "listbox", part: "hits", hidden: "" });
  #panel = make(
    "div",
    { class: "panel", part: "panel", hidden: "" },
    this.#status,
    this.#bar,
    this.#failure,
    this.#list,
  );
  /**
   * What the attributes say is opened.
   *
   * @type {Promise<Opened> | undefined}
   */
  #opening;
  /** @type {SearchIndex | undefined} */
  #own;
  /** @type {Promise<void> | undefined} */
  #searching;
  /** Whether what is typed is not yet searched for. */
  #wanted = false;
  /** Whether a hit is opened when there are some: Enter came before them. */
  #entered = false;
  /** Whether the panel is shown, as soon as there is something in it. */
  #shown = false;
  #chosen = -1;
  /** @type {Hit[]} */
  #hits = [];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    root.append(this.#input, this.#spoken, this.#panel);
    this.#input.addEventListener("focus", () => this.#focus());
    this.#input.addEventListener("input", () => this.#ask());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#retry.addEventListener("click", () => this.#again());
    this.#retry.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#input.focus(); // before the button is hidden
      this.#render(false);
      event.preventDefault();
    });
    this.#list.addEventListener("click", (event) => this.#click(event));
    for (const clicked of [this.#list, this.#retry]) {
      // The focus must not leave, which closes the panel, before the click arrives.
      clicked.addEventListener("mousedown", (event) => event.preventDefault());
    }
    this.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget === this) return;
      this.#entered = false;
      if (!this.hasAttribute("inline")) this.#render(false);
    });
    this.attributeChangedCallback("", null, null);
  }

  connectedCallback() {
    // What a script set before this class was there is not yet told to it, and hides its accessors.
    const early = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (this));
    for (const name of ["searchIndex", "value"].filter((name) => Object.hasOwn(this, name))) {
      const value = early[name];
      delete early[name];
      early[name] = value;
    }
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return; // it only moved
      this.#forget();
      this.#answer([], "");
    });
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    const label = this.getAttribute("label") ?? "Search";
    this.#input.setAttribute("aria-label", label);
    this.#list.setAttribute("aria-label", label);
    this.#input.placeholder = this.getAttribute("placeholder") ?? label;
    if (before === now || name === "label" || name === "placeholder") return;
    const asked = this.#opening || !this.#failure.hidden;
    if (name === "index" || name === "base") {
      this.#forget();
      this.#answer([], "");
    }
    if (asked) this.#ask();
  }

  /** What is searched for. */
  get value() {
    return this.#input.value;
  }

  set value(text) {
    this.#input.value = text;
    this.#ask();
  }

  /**
   * An index that the page opened itself, searched in place of the attribute's.
   *
   * @returns {SearchIndex | undefined}
   */
  get searchIndex() {
    return this.#own;
  }

  set searchIndex(index) {
    this.#own = index;
    this.#ask();
  }

  /**
   * Load what is needed; an input that gets the focus does this too. The index is disposed of when
   * the box leaves the page or gets another one.
   *
   * @returns {Promise<Opened>}
   */
  load() {
    if (this.#opening) return this.#opening;
    const asked = {
      base: this.getAttribute("base"),
      index: this.getAttribute("index") ?? "index/",
      offline: this.hasAttribute("offline"),
    };
    const opening = open(asked, (event) => this.#tell(event));
    this.#opening = opening;
    this.#bar.removeAttribute("value");
    this.#bar.hidden = false;
    this.#say("Loading");
    const end = (/** @type {boolean} */ opened) => {
      if (this.#opening !== opening) return; // by now another is loaded
      if (!opened) this.#opening = undefined;
      this.#bar.hidden = true;
      if (!this.#searching) this.#say("");
      if (opened) this.dispatchEvent(new CustomEvent("ready"));
    };
    opening.then(
      () => end(true),
      () => end(false),
    );
    return opening;
  }

  get #loading() {
    return !this.#bar.hidden;
  }

  /** Let go of what is opened, and of what is loading when it is there. */
  #forget() {
    this.#opening?.then(({ index }) => index.dispose()).catch(() => {}); // it may never have been
    this.#opening = undefined;
    this.#bar.hidden = true;
  }

  /** @param {Progress} event */
  #tell(event) {
    this.dispatchEvent(new CustomEvent("loading", { detail: event }));
    const { status, progress = 0, loaded = 0, total = 0 } = event;
    if (status !== "progress_total" || !this.#loading) return;
    this.#bar.value = progress;
    const part = `${megabytes(loaded)} of ${megabytes(total)} MB`;
    this.#status.textContent = progress < 100 ? `Loading: ${part}` : "Loading: nearly ready";
  }

  /**
   * Tell how far it is: everybody, unlike figures that change many times a second.
   *
   * @param {string} text
   */
  #say(text) {
    this.#status.textContent = text;
    this.#render();
    this.#spoken.textContent = this.#shown ? text : ""; // nothing to who has left
  }

  /** Load before a visitor asks, telling what fails in the box. */
  preload() {
    this.#ask(true);
  }

  #focus() {
    if (this.#opening) this.#render(true);
    else this.#again();
  }

  /** Load, or try again; what was typed is answered then. */
  #again() {
    this.#failure.hidden = true;
    this.#ask(true);
    this.#input.focus();
  }

  /**
   * Search for what is typed. What was typed meanwhile is one more search, not one a key.
   *
   * @param {boolean} [empty]  load even where nothing is typed
   */
  #ask(empty = false) {
    this.#entered = false;
    this.#choose(-1);
    this.#render(true);
    if (this.#query === "" && !empty && !this.#searching) {
      this.#answer([], "");
      return;
    }
    this.#wanted = true;
    this.#searching ??= this.#searchAll().finally(() => (this.#searching = undefined));
  }

  get #query() {
    return this.#input.value.trim();
  }

  async #searchAll() {
    while (this.#wanted) {
      this.#wanted = false;
      try {
        await this.#search();
      } catch (error) {
        if (!this.#wanted) this.#fail(error);
      }
    }
  }

  async #search() {
    const options = this.#options(); // wrong ones are told before anything is loaded
    const opened = await this.load();
    const index = this.#own ?? opened.index;
    const query = this.#query;
    const mode = options.mode ?? (index.lexical ? "hybrid" : "semantic");
    const hits = query === "" ? [] : await index.search(query, { ...options, mode });
    if (this.#wanted) return; // by now something else is typed
    this.#answer(hits, query === "" ? "" : counted(hits.length));
    if (this.#entered) this.#openHit();
  }

  /** What the attributes ask for. */
  #options() {
    const k = Number(this.getAttribute("k") ?? 10);
    if (!Number.isInteger(k) || k < 1) {
      throw new TypeError(`k must be a whole number >= 1, not "${this.getAttribute("k")}"`);
    }
    const mode = this.getAttribute("mode");
    if (mode !== null && !MODES.includes(mode)) {
      throw new TypeError(`mode must be one of ${MODES.join(", ")}, not "${mode}"`);
    }
    return { k, mode: /** @type {"hybrid" | "semantic" | "lexical" | null} */ (mode) };
  }

  /** @param {unknown} error */
  #fail(error) {
    // What is open may be no more: its worker ended, or its files were replaced on the server.
    if (!(error instanceof TypeError)) this.#forget();
    this.#answer([], "");
    this.#reason.textContent = error instanceof Error ? error.message : `${error}`;
    this.#failure.hidden = false;
    this.#render();
    this.dispatchEvent(new CustomEvent("failure", { detail: error }));
    console.error(error);
  }

  /**
   * @param {Hit[]} hits
   * @param {string} status
   */
  #answer(hits, status) {
    this.#hits = hits;
    const own = this.#own !== undefined;
    this.#list.replaceChildren(...hits.map((hit, number) => row(hit, number, own)));
    this.#choose(-1);
    this.#failure.hidden = true;
    this.#say(status);
  }

  /** @param {boolean} [shown]  false dismisses what is there, and what is still to come */
  #render(shown = this.#shown) {
    this.#shown = shown;
    const listed = shown && this.#hits.length > 0;
    const some = this.#loading || !this.#failure.hidden || this.#status.textContent !== "";
    this.#panel.hidden = !(shown && some);
    this.#list.hidden = !listed;
    this.#input.setAttribute("aria-expanded", String(listed));
    if (!listed) this.#choose(-1);
    if (!shown) this.#entered = false;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // The key belongs to an input method; Safari ends the composition before its last key.
    if (event.isComposing || event.keyCode === 229) return;
    const { key } = event;
    const count = this.#hits.length;
    if (key === "Escape" && !this.#panel.hidden) {
      this.#render(false);
    } else if (key === "Escape" && this.#input.value !== "") {
      this.value = "";
    } else if (key === "ArrowDown" && count > 0) {
      this.#render(true);
      this.#choose((this.#chosen + 1) % count);
    } else if (key === "ArrowUp" && count > 0) {
      this.#render(true);
      this.#choose(this.#chosen > 0 ? this.#chosen - 1 : count - 1);
    } else if (key === "Enter" && this.#shown && this.#searching && this.#chosen < 0) {
      // The hits that are shown answer what was typed before. While it loads, which takes seconds,
      // Enter does no more than ask: nobody expects to be led away after them.
      this.#entered = !this.#loading;
    } else if (key === "Enter" && !this.#list.hidden) {
      this.#openHit();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Open the hit that is chosen, or the first. */
  #openHit() {
    const option = this.#list.children[Math.max(this.#chosen, 0)];
    if (option instanceof HTMLElement) option.click();
  }

  /** @param {number} position  -1 for none */
  #choose(position) {
    this.#chosen = position;
    for (const [number, option] of [...this.#list.children].entries()) {
      option.setAttribute("aria-selected", String(number === position));
    }
    const option = this.#list.children[position];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const option = /** @type {Element} */ (event.target).closest(".hit");
    const detail = this.#hits[[...this.#list.children].indexOf(/** @type {Element} */ (option))];
    const options = { detail, bubbles: true, composed: true, cancelable: true };
    if (!this.dispatchEvent(new CustomEvent("hit", options))) event.preventDefault();
  }
}

/**
 * Where a hit leads: its `url`, or its source where a browser shows such files; those of an index
 * that the page opened itself need not be on the site.
 *
 * @param {Hit} hit
 * @param {boolean} own
 * @returns {string | undefined}
 */
function link({ metadata: { url, source, anchor } }, own) {
  const shown = !own && SHOWN.test(source ?? "");
  const found = url ?? (shown ? source + (anchor ? `#${anchor}` : "") : undefined);
  if (typeof found !== "string" || !URL.canParse(found, document.baseURI)) return undefined;
  const { href, protocol } = new URL(found, document.baseURI);
  return protocol === "https:" || protocol === "http:" ? href : undefined; // no scripts
}

/**
 * @param {Hit} hit
 * @param {number} number
 * @param {boolean} own
 */
function row(hit, number, own) {
  const href = link(hit, own);
  const { heading, title, source } = hit.metadata;
  const above = String(heading ?? title ?? ""); // metadata are what the index's maker put there
  // A passage repeats the headings above it, or the last of these.
  const [first = "", ...rest] = hit.text.split("\n");
  const repeated = rest.length > 0 && heading != null && above.endsWith(first);
  const shown = (repeated ? rest.join("\n") : hit.text).trim();
  const attributes = { id: `hit-${number}`, class: "hit", part: "hit", role: "option" };
  return make(
    href ? "a" : "div",
    { ...attributes, ...(href && { href, tabindex: "-1" }), "aria-selected": "false" },
    ...(above ? [line("heading", above)] : []),
    ...(source ? [line("source", String(source))] : []),
    line("passage", shown),
  );
}

/**
 * @param {string} name
 * @param {string} text  of any language, and so of either direction
 */
function line(name, text) {
  return make("span", { class: name, part: name, dir: "auto" }, text);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

/** @param {number} count */
function counted(count) {
  return count === 0 ? "Nothing found" : count === 1 ? "1 result" : `${count} results`;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {...(string | Node)} children  a string becomes text, never markup
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
