/**
 * Errors as data: their names and messages cross between workers, their classes do not.
 *
 * @import { ErrorData } from "./protocol.js"
 */

/**
 * Create an error with one of the names in `twinvec.errors`.
 *
 * @param {string} name
 * @param {string} message
 */
export function namedError(name, message) {
  return Object.assign(new Error(message), { name });
}

/**
 * Recognise an error after which the memory of a WebAssembly module is in an undefined state.
 *
 * @param {unknown} error
 */
export function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

/**
 * @param {ErrorData} data
 * @returns {Error}
 */
export function errorFromData({ name, message, stack }) {
  const error = name === "TypeError" ? new TypeError(message) : new Error(message);
  return Object.assign(error, { name, stack });
}

/**
 * @param {unknown} error
 * @returns {ErrorData}
 */
export function errorToData(error) {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  return { name: error.name, message: error.message, stack: error.stack };
}
