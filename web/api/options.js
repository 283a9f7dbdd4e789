/** Checks of the arguments of public functions, before anything is sent to a worker. */

/** Levels of objects and arrays in metadata and filters; some 700 are too many for Pyodide. */
const MAX_NESTING = 100;

/**
 * Return a copy of texts: a single string becomes its only element.
 *
 * @param {string | string[]} texts
 * @returns {string[]}
 */
export function asList(texts) {
  if (typeof texts === "string") return [texts];
  if (!Array.isArray(texts)) throw new TypeError("texts must be a string or an array of strings");
  const position = texts.findIndex((text) => typeof text !== "string");
  if (position < 0) return [...texts];
  const type = texts[position] === null ? "null" : typeof texts[position];
  throw new TypeError(`texts[${position}] must be a string, not ${type}`);
}

/**
 * Check the names of options, and leave out those that are null or undefined.
 *
 * @template {object} T
 * @param {string} caller  the function's name, for the message
 * @param {T | null | undefined} options
 * @param {(keyof T & string)[]} names  the options that the function has
 * @returns {Partial<T>}
 */
export function checkOptions(caller, options, names) {
  const entries = Object.entries(options ?? {});
  const unknown = entries.find(([name]) => !(/** @type {string[]} */ (names).includes(name)));
  if (unknown !== undefined) {
    throw new TypeError(`${caller} has no option ${unknown[0]}; it has ${names.join(", ")}`);
  }
  const checked = Object.fromEntries(entries.filter(([, value]) => value != null));
  return /** @type {Partial<T>} */ (checked);
}

/**
 * Check that a value is nested no deeper than copies between workers and Python can be.
 *
 * @template T
 * @param {string} name  of the argument, for the message
 * @param {T} value
 * @returns {T}
 */
export function checkNesting(name, value) {
  /** @type {unknown[]} */
  let level = [value];
  for (let depth = 0; depth <= MAX_NESTING; depth++) {
    const objects = new Set(level.filter((item) => typeof item === "object" && item !== null));
    if (objects.size === 0) return value;
    level = [...objects].flatMap((object) => Object.values(/** @type {object} */ (object)));
  }
  throw new TypeError(`${name} is nested deeper than ${MAX_NESTING} levels`);
}

/**
 * Check a number of hits; 10 by default.
 *
 * @param {number} [k]
 */
export function checkCount(k = 10) {
  if (Number.isInteger(k) && k >= 1) return k;
  throw new TypeError(`k must be a whole number >= 1, not ${k}`);
}
