/** What callers give, checked before it is sent to a worker. */

/** What relative addresses are relative to, in a page or in a worker. */
export function page() {
  return globalThis.document?.baseURI ?? location.href;
}

/**
 * @param {string | string[]} texts
 * @returns {string[]}
 */
export function asList(texts) {
  if (typeof texts === "string") return [texts];
  if (!Array.isArray(texts)) throw new TypeError("texts must be a string or an array of strings");
  const position = texts.findIndex((text) => typeof text !== "string");
  if (position < 0) return texts;
  const found = texts[position] === null ? "null" : typeof texts[position];
  throw new TypeError(`texts[${position}] must be a string, not ${found}`);
}

/**
 * Refuse what would otherwise be ignored; null is as if it were not given.
 *
 * @template {object} T
 * @param {string} what
 * @param {T | null | undefined} options
 * @param {string[]} known
 * @returns {Partial<T>}  those that are given
 */
export function checkOptions(what, options, known) {
  const entries = Object.entries(options ?? {});
  const unknown = entries.map(([key]) => key).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`${what} has no option ${unknown}; it has ${known.join(", ")}`);
  }
  const given = Object.fromEntries(entries.filter(([, value]) => value != null));
  return /** @type {Partial<T>} */ (given);
}
