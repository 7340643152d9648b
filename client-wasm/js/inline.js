// Carries the engine inside: for Node, for bundlers that do not copy assets, and for single files.

import engine from "./embedded.js";
import { comesBy } from "./engine.js";
import "./runtime.js";

comesBy(async (imports) => WebAssembly.instantiate(engine(), imports));

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
