/* global host */

// Appended to a copy of the site's `workers/python.js`, so that tests can run code in that worker:
// the body of an async function with the parameters `pyodide` and `payload`.

const hook = new BroadcastChannel("tests");
hook.onmessage = async ({ data: { id, source, payload } }) => {
  if (source === undefined) return;
  try {
    const run = new Function("pyodide", "payload", `return (async () => { ${source} })()`);
    hook.postMessage({ id, value: await run(host.pyodide, payload) });
  } catch (error) {
    hook.postMessage({ id, error: String(error) });
  }
};
