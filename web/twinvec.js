/**
 * twinvec's JavaScript API: the part of Transformers.js that embeds text, answered by Python.
 *
 * All work happens in workers; the page is never blocked.
 */

export { pipeline } from "./api/pipeline.js";
export { SearchIndex } from "./api/search-index.js";
export { cos_sim, dot, Tensor } from "./api/tensor.js";
export { listStored, removeStored } from "./storage/stored-index.js";
