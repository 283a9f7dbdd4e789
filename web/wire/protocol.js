/**
 * What travels between the page, its worker and the session workers. Types only.
 *
 * @import {
 *   Device, Document, Embeddings, Hit, Metadata, ModelFile, OpenedIndex, OpenedSession, Output,
 *   Progress, Run, Section, Versions, Weights
 * } from "./types.js"
 *
 * @typedef {object} WorkerMethods
 *   What the page asks of `workers/python.js`, and most of this the worker of `twinvec.page.endpoint` in Python.
 * @property {(params: { base: string, model?: string, dtype?: string, device: Device,
 *   max_length?: number, truncate_dim?: number, self_check: boolean }) => Versions} load
 * @property {(params: { texts: string[], prompt: string, pooling: string, normalize: boolean,
 *   precision: string }) => Embeddings} embed
 * @property {(params: { texts: string[] }) => number[]} countTokens
 * @property {(params: { url: string }) => OpenedIndex} openIndex
 * @property {(params: { file: ArrayBuffer }) => OpenedIndex} importIndex
 * @property {(params: {}) => OpenedIndex} createIndex
 * @property {(params: { handle: number }) => void} closeIndex
 * @property {(params: { handle: number, name: string }) => void} saveIndex
 * @property {(params: { handle: number }) => Uint8Array<ArrayBuffer>} exportIndex
 * @property {(params: { url: string }) => void} keepOffline  what `openIndex` opened
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
 *   What `workers/model.js` asks of `workers/session.js`.
 * @property {(params: { runtime: string, device: Device }) => void} start  before all else
 * @property {(params: { files: ModelFile[] }) => OpenedSession} load
 * @property {(params: { weights: Weights[] }) => OpenedSession} open
 * @property {(params: { run: Run, output: string }) => Output} run
 *
 * @typedef {{ id: number, method: string, params: any }} Request
 *   `id` is the caller's own; every reply carries it back.
 *
 * @typedef {{ abort: number }} Abort
 *   End this request; it is answered with an error, unless it was done already.
 *
 * @typedef {{ name: string, message: string, stack?: string }} ErrorData
 *
 * @typedef {{ id: number, value: unknown }
 *   | { id: number, error: ErrorData }
 *   | { id: number, progress: Progress }} Reply
 *   Any number of `progress`, then one `value` or `error`.
 */

export {};
