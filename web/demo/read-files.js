/**
 * Read the visitor's files as sections: plain text, Markdown, HTML.
 *
 * It finds headings and paragraphs only: the parsers of `twinvec index` are not in the page.
 *
 * @import { Section } from "../wire/types.js"
 */

export const SUFFIXES = [".txt", ".md", ".markdown", ".html", ".htm"];

const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const FENCE = /^\s*(```|~~~)/;
const IGNORED_ELEMENTS =
  "script, style, nav, noscript, template, svg, canvas, iframe, select, button, [hidden]";
const BLOCK_ELEMENTS =
  "h1, h2, h3, h4, h5, h6, p, li, dt, dd, td, th, pre, blockquote, figcaption, div, section, body";

/**
 * Read a file.
 *
 * @param {File} file
 * @returns {Promise<Section[]>}  those with text
 * @throws {TypeError} if the file has another suffix, or is not UTF-8
 */
export async function readSections(file) {
  const name = file.name.toLowerCase();
  if (!SUFFIXES.some((suffix) => name.endsWith(suffix))) {
    throw new TypeError(`${file.name}: only ${SUFFIXES.join(", ")} can be read here`);
  }
  const text = await decodeFile(file);
  const outline = new Outline();
  if (/\.html?$/.test(name)) readHtml(text, outline);
  else if (/\.(md|markdown)$/.test(name)) readMarkdown(text, outline);
  else outline.addParagraphs(text);
  outline.endSection();
  return outline.sections.filter(({ paragraphs }) => paragraphs.length > 0);
}

/** @param {File} file */
async function decodeFile(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch (cause) {
    const message = `${file.name} is not valid UTF-8, or cannot be read; save it as UTF-8`;
    throw new TypeError(message, { cause });
  }
}

/** The sections of a file, collected from top to bottom. */
class Outline {
  /** @type {Section[]} */
  sections = [{ paragraphs: [], headings: [] }];
  /** @type {{ level: number, text: string }[]} */
  #path = [];

  /**
   * End the section, and begin that of a heading.
   *
   * @param {number} level
   * @param {string} text
   */
  addHeading(level, text) {
    this.endSection(text ? level : 0);
    this.#path = [...this.#path.filter((above) => above.level < level), { level, text }];
    this.sections.push({ paragraphs: [], headings: this.#path.map((heading) => heading.text) });
  }

  /**
   * End the section. A heading without text below becomes a paragraph itself, unless a heading of
   * a lower rank follows, whose section repeats it in the path.
   *
   * @param {number} nextLevel  of the heading that follows, 0 for none
   */
  endSection(nextLevel = 0) {
    const heading = this.#path.at(-1);
    const paragraphs = this.sections.at(-1)?.paragraphs;
    if (heading?.text && paragraphs?.length === 0 && nextLevel <= heading.level) {
      paragraphs.push(heading.text);
    }
  }

  /** @param {string} text  is split at blank lines */
  addParagraphs(text) {
    const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== "");
    this.sections.at(-1)?.paragraphs.push(...paragraphs);
  }
}

/**
 * @param {string} text
 * @param {Outline} outline
 */
function readMarkdown(text, outline) {
  /** @type {string[]} */
  let lines = [];
  let inFence = false;
  const flush = () => {
    outline.addParagraphs(lines.join("\n"));
    lines = [];
  };
  for (const line of text.split(/\r\n?|\n/)) {
    if (FENCE.test(line)) inFence = !inFence;
    const heading = inFence ? null : HEADING.exec(line);
    if (heading) {
      flush();
      outline.addHeading(/** @type {string} */ (heading[1]).length, heading[2] ?? "");
    } else {
      lines.push(line);
    }
  }
  flush();
}

/**
 * Read HTML without running or loading anything: the parsed document is never shown.
 *
 * @param {string} text
 * @param {Outline} outline
 */
function readHtml(text, outline) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  const root = parsed.querySelector("main, [role=main], article") ?? parsed.body;
  for (const element of root.querySelectorAll(IGNORED_ELEMENTS)) element.remove();
  const walker = parsed.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  /** @type {Element | null | undefined} */
  let current;
  let buffer = "";
  const flush = () => {
    const tag = current?.tagName ?? "";
    const words = tag === "PRE" ? buffer.trimEnd() : buffer.replace(/\s+/g, " ").trim();
    const level = /^H([1-6])$/.exec(tag)?.[1];
    if (words && level) outline.addHeading(Number(level), words);
    else if (words) outline.addParagraphs(words);
    buffer = "";
  };
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement?.closest(BLOCK_ELEMENTS);
    if (element !== current) flush();
    current = element;
    buffer += walker.currentNode.textContent;
  }
  flush();
}
