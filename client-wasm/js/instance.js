// Loads the engine by its URL, beside this file. Builds that contain the engine use
// `inline/instance.js` instead.

export const instantiate = async (imports) => {
  const response = await fetch(new URL("bowline.wasm", import.meta.url), {
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (!response.ok) throw "status " + response.status;
  return WebAssembly.instantiate(await response.arrayBuffer(), imports);
};

/** Milliseconds. */
const PATIENCE = 3e4;
