// Loads the engine by its URL, beside this file.

import * as bindings from "./bowline_bg.js";
import { start } from "./start.js";

const response = await fetch(new URL("bowline.wasm", import.meta.url));
await start(bindings, await response.arrayBuffer());

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
