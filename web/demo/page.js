/** Helpers that the modules of this page share. */

/**
 * Find an element that the page must have.
 *
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function findElement(selector, type) {
  const element = document.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`the page has no ${selector}`);
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {...(string | Node)} children  strings become text, never markup
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function createElement(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @param {number} count
 * @param {string} noun
 */
export function countNoun(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

const failure = {
  section: findElement("#failure", HTMLElement),
  reason: findElement("#failure p", HTMLElement),
};

/** @param {unknown} error */
export function showFailure(error) {
  failure.section.hidden = false;
  failure.reason.textContent =
    error instanceof Error ? `${error.name}: ${error.message}` : `${error}`;
  failure.section.scrollIntoView({ block: "nearest" });
  console.error(error);
}

export function hideFailure() {
  failure.section.hidden = true;
}
