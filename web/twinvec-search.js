/** `<twinvec-search index="search/">`: a search box for any page. */

import { TwinvecSearch } from "./search/element.js";

customElements.define("twinvec-search", TwinvecSearch);

export { TwinvecSearch };
