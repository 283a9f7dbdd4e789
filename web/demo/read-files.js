/**
 * Files of the visitor's own, read as sections: text, Markdown, HTML.
 *
 * Less thorough than `twinvec index`, whose parsers are not in the page: headings and paragraphs.
 *
 * @import { Section } from "../wire/types.js"
 */

export const SUFFIXES = [".txt", ".md", ".markdown", ".html", ".htm"];

const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const FENCE = /^\s*(```|~~~)/;
const NO_CONTENT =
  "script, style, nav, noscript, template, svg, canvas, iframe, select, button, [hidden]";
const BLOCKS =
  "h1, h2, h3, h4, h5, h6, p, li, dt, dd, td, th, pre, blockquote, figcaption, div, section, body";

/**
 * @param {File} file
 * @returns {Promise<Section[]>}  without one that says nothing
 */
export async function readSections(file) {
  const name = file.name.toLowerCase();
  if (!SUFFIXES.some((suffix) => name.endsWith(suffix))) {
    throw new TypeError(`${file.name}: only ${SUFFIXES.join(", ")} can be read here`);
  }
  const text = await decoded(file);
  const outline = new Outline();
  if (/\.html?$/.test(name)) readHtml(text, outline);
  else if (/\.(md|markdown)$/.test(name)) readMarkdown(text, outline);
  else outline.paragraphs(text);
  outline.end();
  return outline.sections.filter(({ paragraphs }) => paragraphs.length > 0);
}

/** @param {File} file */
async function decoded(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    throw new TypeError(`${file.name} is not valid UTF-8, or cannot be read; save it as UTF-8`);
  }
}

class Outline {
  /** @type {Section[]} */
  sections = [{ paragraphs: [], headings: [] }];
  /** @type {{ level: number, text: string }[]} */
  #path = [];

  /**
   * @param {number} level
   * @param {string} text
   */
  heading(level, text) {
    this.end(text ? level : 0);
    this.#path = [...this.#path.filter((above) => above.level < level), { level, text }];
    this.sections.push({ paragraphs: [], headings: this.#path.map((one) => one.text) });
  }

  /**
   * End a section. A heading with nothing below it is a text of its own; where one of a lower rank
   * follows, it needs none: it stands in that section's path.
   *
   * @param {number} below  the level that follows, 0 for none
   */
  end(below = 0) {
    const heading = this.#path.at(-1);
    const paragraphs = this.sections.at(-1)?.paragraphs;
    if (heading?.text && paragraphs?.length === 0 && below <= heading.level) {
      paragraphs.push(heading.text);
    }
  }

  /** @param {string} text  cut at blank lines */
  paragraphs(text) {
    const found = text.split(/\n\s*\n/).filter((part) => part.trim() !== "");
    this.sections.at(-1)?.paragraphs.push(...found);
  }
}

/**
 * @param {string} text
 * @param {Outline} outline
 */
function readMarkdown(text, outline) {
  /** @type {string[]} */
  let lines = [];
  let fenced = false;
  const flush = () => {
    outline.paragraphs(lines.join("\n"));
    lines = [];
  };
  for (const line of text.split(/\r\n?|\n/)) {
    if (FENCE.test(line)) fenced = !fenced;
    const heading = fenced ? null : HEADING.exec(line);
    if (heading) {
      flush();
      outline.heading(/** @type {string} */ (heading[1]).length, heading[2] ?? "");
    } else {
      lines.push(line);
    }
  }
  flush();
}

/**
 * Nothing of it is run or loaded: the parsed document is never shown.
 *
 * @param {string} text
 * @param {Outline} outline
 */
function readHtml(text, outline) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  const root = parsed.querySelector("main, [role=main], article") ?? parsed.body;
  for (const element of root.querySelectorAll(NO_CONTENT)) element.remove();
  const walker = parsed.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  /** @type {Element | null | undefined} */
  let block;
  let buffer = "";
  const flush = () => {
    const words = block?.tagName === "PRE" ? buffer.trimEnd() : buffer.replace(/\s+/g, " ").trim();
    const level = /^H([1-6])$/.exec(block?.tagName ?? "")?.[1];
    if (words && level) outline.heading(Number(level), words);
    else if (words) outline.paragraphs(words);
    buffer = "";
  };
  while (walker.nextNode()) {
    const around = walker.currentNode.parentElement?.closest(BLOCKS);
    if (around !== block) flush();
    block = around;
    buffer += walker.currentNode.textContent;
  }
  flush();
}
