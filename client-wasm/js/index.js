// Loads the engine by its URL, beside this file.

import { imports, start } from "./bowline_wasm.js";

const response = await fetch(new URL("bowline.wasm", import.meta.url));
const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), imports);
start(instance.exports);

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
