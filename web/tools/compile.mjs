/**
 * Compile a folder of Python sources with the browser's own CPython: node compile.mjs FOLDER.
 *
 * Each .py gets a .pyc beside it; equal sources give equal bytes. `twinvec site` calls this.
 */

import { loadPyodide } from "pyodide";

const pyodide = await loadPyodide({ env: { PYTHONHASHSEED: "0" } });
pyodide.FS.mkdir("/sources");
pyodide.mountNodeFS("/sources", process.argv[2]);
const compiled = pyodide.runPython(`
import compileall, py_compile
compileall.compile_dir(
    "/sources", maxlevels=20, stripdir="/sources", legacy=True, quiet=1, optimize=2,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
`);
process.exit(compiled ? 0 : 1);
