/** The attributes of the search box: one table of how each is read and checked. */

import { MESSAGES } from "./messages.js";

const MODES = /** @type {const} */ (["hybrid", "semantic", "lexical"]);

export const ATTRIBUTES = {
  /** Addresses; a change opens the index again. */
  address: { index: withDefault("index/"), base: optional },
  /** Options of `SearchIndex.search`; a change searches again. */
  search: { k: readCount, mode: readMode },
  /** Texts of the box. */
  text: { label: withDefault(MESSAGES.label), placeholder: optional },
  /** Switches; a change takes effect when the switch is read next. */
  switch: { inline: isPresent, offline: isPresent },
};

/** The attributes whose changes the box acts on. */
export const OBSERVED = [ATTRIBUTES.address, ATTRIBUTES.search, ATTRIBUTES.text].flatMap((group) =>
  Object.keys(group),
);

/**
 * Read and check the attributes of a group.
 *
 * @template {Record<string, (value: string | null, name: string) => any>} Group
 * @param {Element} box
 * @param {Group} group
 * @returns {{ [Name in keyof Group]: ReturnType<Group[Name]> }}
 * @throws {TypeError} if a value is not allowed
 */
export function readAttributes(box, group) {
  const entries = Object.entries(group);
  const values = entries.map(([name, read]) => [name, read(box.getAttribute(name), name)]);
  return Object.fromEntries(values);
}

/** @param {string} fallback */
function withDefault(fallback) {
  return (/** @type {string | null} */ value) => value ?? fallback;
}

/** @param {string | null} value */
function optional(value) {
  return value;
}

/** @param {string | null} value */
function isPresent(value) {
  return value !== null;
}

/**
 * @param {string | null} value
 * @param {string} name
 */
function readCount(value, name) {
  const count = Number(value ?? 10);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new TypeError(`${name} must be a whole number >= 1, not "${value}"`);
}

/**
 * @param {string | null} value
 * @param {string} name
 */
function readMode(value, name) {
  const mode = MODES.find((mode) => mode === value);
  if (mode || value === null) return mode;
  throw new TypeError(`${name} must be one of ${MODES.join(", ")}, not "${value}"`);
}
