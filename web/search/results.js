/**
 * The rows of the result list: one for each hit, with a link where the hit has an address.
 *
 * @import { Hit } from "../wire/types.js"
 */

import { createElement } from "./dom.js";

/** Files that browsers display; a source of any other type gets no link. */
const DISPLAYED = /(\/|\.html?|\.xhtml|\.txt|\.pdf)$/i;

/**
 * Create the row of a hit.
 *
 * @param {Hit} hit
 * @param {number} position  in the list
 * @param {boolean} linkSources  false if the hit's source may not be a file of this site
 */
export function createRow(hit, position, linkSources) {
  const { heading, title, source } = hit.metadata;
  const headline = String(heading ?? title ?? ""); // metadata may hold any JSON value
  const href = hitAddress(hit, linkSources);
  return createElement(
    href ? "a" : "div",
    {
      id: `hit-${position}`,
      class: "hit",
      part: "hit",
      role: "option",
      ...(href && { href, tabindex: "-1" }),
      "aria-selected": "false",
    },
    ...(headline ? [createLine("heading", headline)] : []),
    ...(source ? [createLine("source", String(source))] : []),
    createLine("passage", passageText(hit.text, heading == null ? "" : headline)),
  );
}

/**
 * Return the address of a hit: its `url`, or else its source and anchor.
 *
 * @param {Hit} hit
 * @param {boolean} linkSources
 * @returns {string | undefined}
 */
function hitAddress({ metadata: { url, source, anchor } }, linkSources) {
  const isLinked = linkSources && DISPLAYED.test(source ?? "");
  const address = url ?? (isLinked ? source + (anchor ? `#${anchor}` : "") : undefined);
  if (typeof address !== "string" || !URL.canParse(address, document.baseURI)) return undefined;
  const { href, protocol } = new URL(address, document.baseURI);
  return protocol === "https:" || protocol === "http:" ? href : undefined; // no javascript:
}

/**
 * Return the text of a passage without its first line, if the heading above repeats that line.
 *
 * @param {string} text
 * @param {string} heading  the path of headings, "" if there is none
 */
function passageText(text, heading) {
  const [firstLine = "", ...otherLines] = text.split("\n");
  const isRepeated = otherLines.length > 0 && heading.endsWith(firstLine);
  return (isRepeated ? otherLines.join("\n") : text).trim();
}

/**
 * @param {string} name
 * @param {string} text  in any language, so its direction may be either
 */
function createLine(name, text) {
  return createElement("span", { class: name, part: name, dir: "auto" }, text);
}
