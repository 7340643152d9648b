// Loads the engine by its URL, beside this file.

import { comesBy } from "./engine.js";

comesBy(async (imports) => {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    // Compiled while it arrives.
    return await WebAssembly.instantiateStreaming(fetch(new URL("bowline.wasm", import.meta.url), { signal }), imports);
  } catch {
    // Not every bundler copies the file, not every server says what it is, and tests have no `fetch`.
    const { default: engine } = await import("./embedded.js");
    return WebAssembly.instantiate(engine(), imports);
  }
});

export { Client } from "./client.js";
export { BowlineError } from "./error.js";

/** Milliseconds until another way is tried. */
const PATIENCE = 3e4;
