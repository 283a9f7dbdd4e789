/**
 * The objects that requests and replies carry. Types only.
 *
 * @typedef {"wasm" | "webgpu"} Device  ONNX Runtime's execution provider
 *
 * @typedef {{ path: string, url: string, bytes: number, sha256: string }} ModelFile
 *
 * @typedef {{ path: string, data: Uint8Array<ArrayBuffer> }} Weights
 *   A verified file of a model: the ONNX file, or external data that belong to it.
 *
 * @typedef {{ inputNames: readonly string[], outputNames: readonly string[],
 *   version: string | undefined, weights: Weights[] }} OpenedSession
 *   `weights` are the ones it was opened with, moved from worker to worker, not copied.
 *
 * @typedef {object} Progress
 *   A progress event of Transformers.js. `name` is the model, or "runtime" for the files that every
 *   model needs.
 * @property {"initiate" | "download" | "progress" | "done" | "progress_total" | "ready"} status
 * @property {string} [name]
 * @property {string} [file]  the file or the named step
 * @property {number} [progress]  per cent, with status "progress" and "progress_total"
 * @property {number} [loaded]  bytes so far; of a call, texts
 * @property {number} [total]  bytes in all; of a call, texts
 * @property {Record<string, { loaded: number, total: number }>} [files]  with "progress_total"
 * @property {string} [task]
 * @property {string} [model]
 *
 * @typedef {object} ModelInfo
 *   One entry of `models/manifest.json`; `twinvec.model.info.ModelInfo` in Python, which reads more
 *   fields than these.
 * @property {string} name
 * @property {string | null} revision
 * @property {number} dim
 * @property {number} max_length
 * @property {string} pooling
 * @property {Record<string, string>} weights  dtype -> path of the ONNX file
 * @property {Record<string, { bytes: number, sha256: string }>} files
 *
 * @typedef {object} Versions
 *   The model and the runtimes that answer in this page.
 * @property {string} model
 * @property {string | null} revision
 * @property {string} dtype
 * @property {Device} device  the device in use; WASM where WebGPU was requested but unavailable
 * @property {"exact" | "approximate"} parity  agreement with the vectors of CPython
 * @property {number | undefined} deviation  result of the self-check: the largest difference from
 *   CPython's unit vector, in any dimension
 * @property {Fingerprint} fingerprint
 * @property {string} python
 * @property {string} pyodide
 * @property {string | undefined} onnxruntime
 * @property {number} sessions  number of session workers
 *
 * @typedef {{ dims: number[], inputs: Record<string, BigInt64Array> }} Run
 *   The inputs of one run: flat, all of the same dims.
 *
 * @typedef {{ dims: readonly number[], data: Float32Array }} Output
 *
 * @typedef {{ dims: readonly number[], data: Float32Array | Int8Array | Uint8Array }} Embeddings
 *
 * @typedef {{ max_length: number, dim: number, query_prompt: string, document_prompt: string,
 *   [field: string]: any }} Fingerprint
 *   The facts that must be equal for vectors to be comparable; `Embedder.fingerprint` in Python.
 *
 * @typedef {{ handle: number, size: number, lexical: boolean }} OpenedIndex
 *   `lexical`: it has terms.
 *
 * @typedef {Record<string, any>} Metadata
 *
 * @typedef {{ id: string, text: string, metadata: Metadata }} Document
 *
 * @typedef {Document & { position: number, score: number }} Hit
 *   `score` is the cosine similarity in mode "semantic", BM25 in "lexical", and a sum of reciprocal
 *   ranks in "hybrid".
 *
 * @typedef {{ paragraphs: string[], headings?: string[], anchor?: string, title?: string }} Section
 *   The part of a file below a heading; `twinvec.documents.section.Section` in Python.
 *
 * @typedef {{ name: string, size: number, bytes: number }} StoredIndex
 *   An index in this browser: its number of documents, and its size in bytes.
 *
 * @typedef {{ file: string, rows: number, bytes: number, sha256: string }} Shard
 *   A file of an index.
 *
 * @typedef {{ shard?: Shard, start: number, stop?: number }} Part
 *   Bytes of a shard, of the whole shard without `stop`; without a shard, all of `index.json`.
 */

export {};
