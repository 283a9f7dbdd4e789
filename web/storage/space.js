/** The room that the browser leaves to this site, in words. */

/** Describe how much room is left; also where a browser keeps nothing. */
export async function describeSpace() {
  const estimate = await navigator.storage?.estimate?.();
  if (!estimate) return "this browser keeps no files of this site, as on plain HTTP";
  const { quota = 0, usage = 0 } = estimate;
  const free = megabytes(Math.max(0, quota - usage));
  return `this browser has ${free} left for this site, of ${megabytes(quota)}`;
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
