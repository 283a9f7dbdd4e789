/**
 * Bundle the modules of the browser side into the scripts of a site: node bundle.mjs FOLDER.
 *
 * The scripts are not minified. `twinvec site` calls this; no site needs it at run time.
 */

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES = [
  "twinvec.js",
  "twinvec-search.js",
  "sw.js",
  "workers/python.js",
  "workers/session.js",
];

// A page that uses both doors has one copy of the API, and of its classes.
const sharedApi = {
  name: "shared-api",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/twinvec\.js$/ }, () => ({ path: "./twinvec.js", external: true }));
  },
};

await build({
  absWorkingDir: SOURCES,
  entryPoints: ENTRIES.map((entry) => `./${entry}`),
  outbase: SOURCES,
  outdir: process.argv[2],
  bundle: true,
  format: "esm",
  target: "esnext",
  charset: "utf8",
  plugins: [sharedApi],
});
