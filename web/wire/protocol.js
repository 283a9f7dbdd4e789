/**
 * Requests and replies between the page, its worker and the session workers. Types only.
 *
 * @import {
 *   Device, Document, Embeddings, Hit, Metadata, ModelFile, OpenedIndex, OpenedSession, Output,
 *   Progress, Run, Section, Versions, Weights
 * } from "./types.js"
 *
 * @typedef {{ [method: string]: (params: any) => any }} Methods
 *   Methods of a worker: a request carries a method's name and its params.
 *
 * @typedef {object} WorkerMethods
 *   Methods of `workers/python.js`. Python's `twinvec.page.endpoint` answers most of them.
 * @property {(params: { base: string, model?: string, dtype?: string, device: Device,
 *   max_length?: number, truncate_dim?: number, self_check: boolean }) => Versions} load
 *   always the first request
 * @property {(params: { texts: string[], prompt: string, pooling: string, normalize: boolean,
 *   precision: string }) => Embeddings} embed
 * @property {(params: { texts: string[] }) => number[]} countTokens
 * @property {(params: { texts: string[] }) => { ids: Int32Array, lengths: Int32Array }} tokenIds
 *   the ids of all texts in one array, and their number for each text
 * @property {(params: { url: string }) => OpenedIndex} openIndex
 * @property {(params: { file: ArrayBuffer }) => OpenedIndex} importIndex
 * @property {(params: {}) => OpenedIndex} createIndex
 * @property {(params: { handle: number }) => void} closeIndex
 * @property {(params: { handle: number, name: string }) => void} saveIndex
 * @property {(params: { handle: number }) => Uint8Array<ArrayBuffer>} exportIndex
 * @property {(params: { url: string }) => void} keepOffline  `url` is one that `openIndex` opened
 * @property {(params: { source: string, sections: Section[] }) => Document[]} passages
 * @property {(params: { handle: number, ids: string[] }) => { size: number }} remove
 * @property {(params: { handle: number, texts: string[], ids?: string[],
 *   metadata?: Metadata[] }) => { truncated: number, size: number }} add
 * @property {(params: { handle: number, start: number, stop?: number }) => Document[]} documents
 * @property {(params: { handle: number, query: string, k: number,
 *   filter?: Record<string, any>, mode: string }) => Hit[]} search
 * @property {(params: { handle: number, vector: Float32Array, k: number,
 *   filter?: Record<string, any> }) => Hit[]} searchVector
 *
 * @typedef {object} SessionMethods
 *   Methods of `workers/session.js`, called by the worker in which Python runs.
 * @property {(params: { runtime: string, device: Device }) => void} start  always the first request
 * @property {(params: { files: ModelFile[] }) => OpenedSession} load
 * @property {(params: { weights: Weights[] }) => OpenedSession} open
 * @property {(params: { run: Run, output: string }) => Output} run
 *
 * @typedef {{ id: number, method: string, params: any }} Request
 *   `id` is the caller's own; every reply carries it back.
 *
 * @typedef {{ abort: number }} Abort
 *   End the request with this id; it is answered with an error, unless it is done already.
 *
 * @typedef {{ name: string, message: string, stack?: string }} ErrorData
 *
 * @typedef {{ id: number, value: unknown }
 *   | { id: number, error: ErrorData }
 *   | { id: number, progress: Progress }} Reply
 *   Any number of `progress`, then one `value` or `error`.
 *
 * @typedef {{ lock: string } | { ended: string }} Notice
 *   Of the worker itself: the lock that it holds for as long as it lives, and why it ends.
 */

export {};
