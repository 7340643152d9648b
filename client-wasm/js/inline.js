// What the package exports, with the engine inside and with what runtimes beside browsers can: the files of the
// folder `inline` are in the place of those of the same name.

import "./runtime.js";

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
