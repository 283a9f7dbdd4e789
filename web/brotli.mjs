// Compress files: node brotli.mjs SOURCE TARGET [SOURCE TARGET ...]. Called by `twinvec site`, and
// not part of one.

import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const compress = promisify(brotliCompress);
const params = {
  [constants.BROTLI_PARAM_QUALITY]: 11,
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
};

const paths = process.argv.slice(2);
const pairs = paths.flatMap((source, i) => (i % 2 === 0 ? [[source, paths[i + 1]]] : []));
await Promise.all(
  pairs.map(async ([source, target]) => writeFile(target, await compress(await readFile(source), { params }))),
);
