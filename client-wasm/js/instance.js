// How the engine gets here: by its URL, beside this file. What carries the engine inside has `inline/instance.js`
// in this one's place.

export const instantiate = async (imports) => {
  const response = await fetch(new URL("bowline.wasm", import.meta.url), { signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw "status " + response.status;
  return WebAssembly.instantiate(await response.arrayBuffer(), imports);
};

/** Milliseconds. */
const PATIENCE = 3e4;
