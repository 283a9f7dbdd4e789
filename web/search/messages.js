/**
 * All texts that a visitor reads in the search box, prepared for translation.
 *
 * The texts of errors are not among them: they are written for the author of the site.
 */
export const MESSAGES = {
  label: "Search",
  loading: "Loading",
  /**
   * @param {number} loaded  bytes
   * @param {number} total  bytes
   */
  loadingBytes: (loaded, total) => `Loading: ${megabytes(loaded)} of ${megabytes(total)} MB`,
  nearlyReady: "Loading: nearly ready",
  /** @param {number} count */
  results: (count) => {
    if (count === 0) return "Nothing found";
    return count === 1 ? "1 result" : `${count} results`;
  },
  retry: "Try again",
};

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
