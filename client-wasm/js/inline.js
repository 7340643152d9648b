// Carries the engine inside: for Node, for bundlers that do not copy assets, and for single files.

import * as bindings from "./bowline_bg.js";
import { start } from "./start.js";
import engine from "./bowline.wasm.js";

await start(bindings, Uint8Array.from(atob(engine), (char) => char.charCodeAt(0)));

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
