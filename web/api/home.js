/**
 * Address of the folder that twinvec was built into.
 *
 * The build bundles this module into `twinvec.js` and `twinvec-search.js`, at the root of that
 * folder: `import.meta.url` is the address of such a bundle, not of this source.
 */
export const HOME = new URL("./", import.meta.url).href;
