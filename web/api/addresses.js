/** Addresses of the site's folder and of folders that the page names. */

/**
 * The folder that twinvec was built into.
 *
 * The build bundles this module into `twinvec.js` and `twinvec-search.js`, at the root of that
 * folder: `import.meta.url` is the address of such a bundle, not of this source.
 */
export const HOME = new URL("./", import.meta.url).href;

/** Return the address that relative addresses are resolved against, in a page or a worker. */
export function pageAddress() {
  return globalThis.document?.baseURI ?? location.href;
}

/**
 * Resolve the address of a folder, so that it ends with a slash.
 *
 * @param {string | URL} folder  absolute, or relative to the page
 */
export function folderAddress(folder) {
  return new URL(new URL(folder, pageAddress()).href.replace(/\/*$/, "/"));
}
