/**
 * `<twinvec-search index="search/">`: a search box for any page.
 *
 * Nothing is loaded before a visitor turns to it. It follows the combobox pattern of the WAI-ARIA
 * Authoring Practices: the focus stays in the input, the arrow keys choose among the hits below it,
 * Enter opens one, Escape closes the list.
 *
 * @import { Hit, Progress } from "./protocol.js"
 * @import { Extractor, SearchIndex } from "./twinvec.js"
 * @typedef {{ extractor: Extractor, index: SearchIndex }} Opened
 * @typedef {"semantic" | "lexical" | "hybrid"} Mode
 */

import { fetchJson } from "./download.js";
import { pipeline } from "./twinvec.js";

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
`);

/** What a browser shows itself; of other files a hit's source is no link. */
const SHOWN = /(\/|\.html?|\.xhtml|\.txt|\.pdf)$/i;

/**
 * The pipelines of this page, shared by its search boxes, by what they were opened with.
 *
 * @type {Map<string, Promise<Extractor>>}
 */
const pipelines = new Map();

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
  #status = make("p", { class: "status", part: "status", role: "status" });
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
  /** @type {Promise<Opened> | undefined} */
  #opening;
  /** @type {SearchIndex | undefined} */
  #own;
  /** @type {Promise<void> | undefined} */
  #searching;
  /** @type {Mode} */
  #usual = "hybrid";
  #wanted = false;
  #chosen = -1;
  /** @type {Hit[]} */
  #hits = [];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    root.append(this.#input, this.#panel);
    this.#input.addEventListener("focus", () => this.#focus());
    this.#input.addEventListener("input", () => this.#ask());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#retry.addEventListener("click", () => this.#again());
    this.#list.addEventListener("click", (event) => this.#click(event));
    // A click in the panel must not take the focus away before it arrives.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget !== this) this.#close();
    });
    this.attributeChangedCallback("", null, null);
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
    if (before === now) return;
    if (name === "index" || name === "base") this.#opening = undefined;
    if (name !== "label" && name !== "placeholder" && this.#opening) this.#ask();
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
   * Load what is needed; an input that gets the focus does this too.
   *
   * @returns {Promise<Opened>}
   */
  load() {
    this.#opening ??= this.#load().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #load() {
    this.#bar.hidden = false;
    try {
      const base = new URL(this.getAttribute("base") ?? import.meta.resolve("./"), document.baseURI);
      const address = new URL(this.getAttribute("index") ?? "index/", document.baseURI);
      const folder = withSlash(base);
      if (this.hasAttribute("offline")) await serveOffline(folder);
      const file = new URL("index.json", withSlash(address));
      const { fingerprint = {}, shards = {} } = await fetchJson(file, { cache: "no-cache" });
      this.#usual = shards.terms ? "hybrid" : "semantic"; // where it was built without terms
      const options = await suiting(fingerprint, folder);
      const extractor = await shared(options, (event) => this.#tell(event));
      const index = await extractor.openIndex(address);
      if (this.hasAttribute("offline")) index.keepOffline().catch(console.warn);
      this.dispatchEvent(new CustomEvent("ready"));
      return { extractor, index };
    } finally {
      this.#bar.hidden = true;
      this.#status.textContent = "";
    }
  }

  /** @param {Progress} event */
  #tell(event) {
    this.dispatchEvent(new CustomEvent("loading", { detail: event }));
    const { status, progress = 0, loaded = 0, total = 0 } = event;
    if (status !== "progress_total") return;
    this.#bar.value = progress;
    const part = `${megabytes(loaded)} of ${megabytes(total)} MB`;
    this.#status.textContent = progress < 100 ? `Loading: ${part}` : "Loading: nearly ready";
  }

  /** Load before a visitor asks, telling what fails in the box. */
  preload() {
    this.#ask(true);
  }

  #focus() {
    if (this.#opening) {
      if (this.value.trim() !== "") this.#open();
      return;
    }
    this.#again();
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
    this.#wanted = true;
    if (this.value.trim() === "" && !empty && !this.#searching) {
      this.#show([]);
      this.#close();
      return;
    }
    this.#searching ??= (async () => {
      while (this.#wanted) {
        this.#wanted = false;
        await this.#search();
      }
    })()
      .catch((error) => this.#fail(error))
      .finally(() => (this.#searching = undefined));
  }

  async #search() {
    if (!this.#opening) {
      this.#status.textContent = "Loading";
      this.#panel.hidden = false;
    }
    const { index } = await this.load();
    const query = this.value.trim();
    this.#failure.hidden = true;
    if (query === "") {
      this.#show([]);
      this.#close();
      return;
    }
    const k = Number(this.getAttribute("k") ?? 10);
    const mode = /** @type {Mode} */ (this.getAttribute("mode") ?? this.#usual);
    const hits = await (this.#own ?? index).search(query, { k, mode });
    if (this.#wanted) return; // by now something else is typed
    this.#show(hits);
    this.#status.textContent = counted(hits.length);
    this.#open();
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#wanted = false;
    this.#show([]);
    this.#status.textContent = "";
    this.#reason.textContent = error instanceof Error ? error.message : `${error}`;
    this.#failure.hidden = false;
    this.#panel.hidden = false;
    if (error instanceof Error && error.name === "WorkerError") {
      this.#opening = undefined; // what is loaded cannot answer any more
    }
    this.dispatchEvent(new CustomEvent("failure", { detail: error }));
    console.error(error);
  }

  /** @param {Hit[]} hits */
  #show(hits) {
    this.#hits = hits;
    const own = this.#own !== undefined;
    this.#list.replaceChildren(...hits.map((hit, number) => row(hit, number, own)));
    this.#choose(-1);
  }

  #open() {
    this.#panel.hidden = false;
    this.#list.hidden = this.#hits.length === 0;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
  }

  /** @param {boolean} [always]  where it is part of the page, too */
  #close(always = false) {
    if (this.#list.childElementCount > 0 && this.hasAttribute("inline") && !always) return;
    if (this.#bar.hidden && this.#failure.hidden) this.#panel.hidden = true;
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#choose(-1);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return; // the key belongs to an input method
    const { key } = event;
    const count = this.#hits.length;
    if (key === "Escape") {
      if (this.#list.hidden) this.value = "";
      this.#close(true);
    } else if (key === "ArrowDown" && count > 0) {
      this.#open();
      this.#choose((this.#chosen + 1) % count);
    } else if (key === "ArrowUp" && count > 0) {
      this.#open();
      this.#choose(this.#chosen > 0 ? this.#chosen - 1 : count - 1);
    } else if (key === "Enter" && !this.#list.hidden && count > 0) {
      /** @type {HTMLElement} */ (this.#list.children[Math.max(this.#chosen, 0)]).click();
    } else {
      return;
    }
    event.preventDefault();
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
  // A passage repeats the headings above it, or the last of these.
  const [first = "", ...rest] = hit.text.split("\n");
  const repeated = rest.length > 0 && heading?.endsWith(first);
  const shown = (repeated ? rest.join("\n") : hit.text).trim();
  const attributes = { id: `hit-${number}`, class: "hit", part: "hit", role: "option" };
  return make(
    href ? "a" : "div",
    { ...attributes, ...(href && { href, tabindex: "-1" }), "aria-selected": "false" },
    ...[heading ?? title].filter(Boolean).map((text) => make("span", part("heading"), text)),
    ...[source].filter(Boolean).map((text) => make("span", part("source"), text)),
    make("span", part("passage"), shown),
  );
}

/** @param {string} name */
function part(name) {
  return { class: name, part: name };
}

/**
 * Find the model and the weights that an index was built with.
 *
 * @param {Record<string, any>} fingerprint
 * @param {URL} base
 */
async function suiting(fingerprint, base) {
  const { models } = await fetchJson(new URL("models/manifest.json", base));
  const { model, weights_sha256: sha256, max_length, dim } = fingerprint;
  /** @type {import("./protocol.js").ModelInfo | undefined} */
  const info = models.find((/** @type {{ name: string }} */ { name }) => name === model);
  const [dtype] =
    Object.entries(info?.weights ?? {}).find(([, file]) => info?.files[file]?.sha256 === sha256) ?? [];
  const limits = { max_length, truncate_dim: dim === info?.dim ? undefined : dim };
  // Where nothing suits, the site's default is loaded, and refused with the reason.
  return info ? { base: base.href, model, dtype, ...limits } : { base: base.href };
}

/**
 * @param {{ base: string, model?: string, dtype?: string }} options
 * @param {(progress: Progress) => void} progress_callback
 */
async function shared({ model, ...options }, progress_callback) {
  const key = JSON.stringify({ model, ...options });
  const found = await pipelines.get(key)?.catch(() => undefined);
  if (found && !found.ended) return found;
  const opening = pipeline("feature-extraction", model, { ...options, progress_callback });
  pipelines.set(key, opening);
  return opening;
}

/**
 * Let twinvec's own files, and the page's if they lie below it, be answered without a connection.
 *
 * @param {URL} base
 */
async function serveOffline(base) {
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", base));
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    while (worker && worker.state !== "activated" && worker.state !== "redundant") {
      await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    }
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    registration.active?.postMessage([document.URL, ...loaded]);
  } catch (error) {
    console.warn(`twinvec: searching without a connection is not possible here: ${error}`);
  }
}

/** @param {URL} url */
function withSlash(url) {
  return new URL(url.href.replace(/\/*$/, "/"));
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

customElements.define("twinvec-search", TwinvecSearch);
