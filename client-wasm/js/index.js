// Loads the engine by its URL, beside this file.

import { imports, start } from "./bowline_wasm.js";

const response = await fetch(new URL("bowline.wasm", import.meta.url));
// Compiled while it arrives, where the server says what it is.
const { instance } = await (/wasm/.test(response.headers.get("content-type"))
  ? WebAssembly.instantiateStreaming(response, imports)
  : WebAssembly.instantiate(await response.arrayBuffer(), imports));
start(instance.exports);

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
