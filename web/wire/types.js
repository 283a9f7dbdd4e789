/**
 * The objects that requests and replies carry. Types only.
 *
 * @typedef {"wasm" | "webgpu"} Device  what computes: ONNX Runtime's execution provider
 *
 * @typedef {{ path: string, url: string, bytes: number, sha256: string }} ModelFile
 *
 * @typedef {{ path: string, data: Uint8Array<ArrayBuffer> }} Weights
 *   A verified file. The ONNX file comes first, then what of its weights lies outside it.
 *
 * @typedef {{ inputNames: readonly string[], outputNames: readonly string[],
 *   version: string | undefined, weights: Weights[] }} OpenedSession
 *   `weights` are those it was opened with, moved, not copied, from worker to worker.
 *
 * @typedef {object} Progress
 *   As Transformers.js reports it. `name` is the model, or "runtime" for what every model needs.
 * @property {"initiate" | "download" | "progress" | "done" | "progress_total" | "ready"} status
 * @property {string} [name]
 * @property {string} [file]  the file, or the named step, that this is about
 * @property {number} [progress]  per cent, with status "progress" and "progress_total"
 * @property {number} [loaded]  bytes so far; of a call, texts
 * @property {number} [total]  bytes in all; of a call, texts
 * @property {Record<string, { loaded: number, total: number }>} [files]  with "progress_total"
 * @property {string} [task]
 * @property {string} [model]
 *
 * @typedef {object} ModelInfo
 *   One entry of `models/manifest.json`; `twinvec.model.info.ModelInfo` in Python.
 * @property {string} name
 * @property {string | null} revision
 * @property {number} dim
 * @property {number} max_length
 * @property {string} pooling
 * @property {Record<string, string>} weights  dtype -> path of the ONNX file
 * @property {Record<string, { bytes: number, sha256: string }>} files
 *   What else Python reads of it passes through as it is.
 *
 * @typedef {object} Versions
 *   What answers in this page.
 * @property {string} model
 * @property {string | null} revision
 * @property {string} dtype
 * @property {Device} device  what computes, which may be another than was asked for
 * @property {"exact" | "approximate"} parity  whether CPython gives the same vectors
 * @property {number | undefined} deviation  of the self-check: the largest difference to CPython's
 *   unit vector, in any dimension
 * @property {Fingerprint} fingerprint
 * @property {string} python
 * @property {string} pyodide
 * @property {string | undefined} onnxruntime
 * @property {number} sessions  session workers
 *
 * @typedef {{ dims: number[], inputs: Record<string, BigInt64Array> }} Run
 *   One run's inputs, flat, all of the same dims.
 *
 * @typedef {{ dims: readonly number[], data: Float32Array }} Output
 *
 * @typedef {{ dims: readonly number[], data: Float32Array | Int8Array | Uint8Array }} Embeddings
 *
 * @typedef {{ max_length: number, dim: number, query_prompt: string, document_prompt: string,
 *   [field: string]: any }} Fingerprint
 *   What must be equal for vectors to be comparable; `Embedder.fingerprint` in Python.
 *
 * @typedef {{ handle: number, size: number, lexical: boolean }} OpenedIndex
 *   `lexical`: whether it has terms.
 *
 * @typedef {Record<string, any>} Metadata
 *
 * @typedef {{ id: string, text: string, metadata: Metadata }} Document
 *
 * @typedef {Document & { position: number, score: number }} Hit
 *   `score`: cosine similarity; of the mode "lexical" BM25, of "hybrid" a sum of reciprocal ranks.
 *
 * @typedef {{ paragraphs: string[], headings?: string[], anchor?: string, title?: string }} Section
 *   What stands between two headings of a file; `twinvec.documents.readers.Section` in Python.
 *
 * @typedef {{ name: string, size: number, bytes: number }} StoredIndex
 *   An index that the browser keeps: how many documents it has, and its bytes there.
 *
 * @typedef {{ file: string, rows: number, bytes: number, sha256: string }} Shard
 *   A file of an index.
 *
 * @typedef {{ shard?: Shard, start: number, stop?: number }} Part
 *   Without a shard `index.json`; without a stop the whole file.
 */

export {};
