/** Dense arrays, and the similarity of two vectors. */

/**
 * A dense array: `dims` is its shape, `data` its elements in row-major order, `size` their number,
 * and `type` "float32", or "int8" or "uint8" for quantized vectors.
 *
 * @example
 * new Tensor([2, 2], Float32Array.of(1, 2, 3, 4)).tolist(); // [[1, 2], [3, 4]]
 */
export class Tensor {
  /**
   * @param {number[]} dims
   * @param {Float32Array | Int8Array | Uint8Array} data
   */
  constructor(dims, data) {
    this.dims = dims;
    this.type = data.constructor.name.replace("Array", "").toLowerCase();
    this.data = data;
    this.size = data.length;
  }

  /**
   * Copy the elements into nested arrays, one level for each dimension.
   *
   * @returns {any[]}
   */
  tolist() {
    /** @type {any[]} */
    let list = Array.from(this.data);
    for (const length of this.dims.slice(1).reverse()) {
      const rows = length === 0 ? 0 : list.length / length;
      list = Array.from({ length: rows }, (_, row) => list.slice(row * length, (row + 1) * length));
    }
    return list;
  }
}

/**
 * Dot product of two vectors of the same length.
 *
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 * @returns {number}
 */
export function dot(a, b) {
  if (a.length !== b.length) {
    throw new TypeError(`vectors of ${a.length} and ${b.length} dims are not comparable`);
  }
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += /** @type {number} */ (a[i]) * /** @type {number} */ (b[i]);
  }
  return sum;
}

/**
 * Cosine similarity of two vectors; 0 if one of them is zero.
 *
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 * @returns {number}
 */
export function cos_sim(a, b) {
  const norms = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  return dot(a, b) / Math.max(norms, 1e-24);
}
