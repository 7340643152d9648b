// Carries the engine inside: for Node, for bundlers that do not copy assets, and for single files.

import engine from "./bowline_inline.js";
import { imports, start } from "./bowline_wasm.js";

const { instance } = await WebAssembly.instantiate(await engine(), imports);
start(instance.exports);

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
