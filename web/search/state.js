/**
 * The state of a search box, from which the view is rendered.
 *
 * @import { Opened } from "./open-index.js"
 * @import { Hit } from "../wire/types.js"
 * @import { SearchIndex } from "../api/search-index.js"
 *
 * @typedef {object} State
 * @property {Promise<Opened> | undefined} opening  pending while the index is loading
 * @property {boolean} loading
 * @property {number | undefined} progress  per cent, undefined until the first report
 * @property {SearchIndex | undefined} pageIndex  an index that the page opened itself
 * @property {"idle" | "running" | "outdated"} search  "outdated": the input changed since it began
 * @property {boolean} shown  false after the visitor dismissed the panel or left the box
 * @property {boolean} entered  Enter was pressed before the hits arrived
 * @property {Hit[]} hits
 * @property {number} selected  position of the selected hit, -1 for none
 * @property {string} status  the line above the hits
 * @property {string | null} failure  the message of the last error
 */

/** @returns {State} */
export function initialState() {
  return {
    opening: undefined,
    loading: false,
    progress: undefined,
    pageIndex: undefined,
    search: "idle",
    shown: false,
    entered: false,
    hits: [],
    selected: -1,
    status: "",
    failure: null,
  };
}

/**
 * Change the state. Nothing is selected in a hidden list, and a dismissed panel opens no hit.
 *
 * @param {State} state
 * @param {Partial<State>} changes
 */
export function changeState(state, changes) {
  Object.assign(state, changes);
  if (!isListVisible(state)) state.selected = -1;
  if (!state.shown) state.entered = false;
}

/** @param {State} state */
export function isListVisible({ shown, hits }) {
  return shown && hits.length > 0;
}

/** @param {State} state */
export function isPanelVisible({ shown, loading, failure, status }) {
  return shown && (loading || failure !== null || status !== "");
}
