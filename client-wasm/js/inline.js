// The exports of the package with the engine inside and with the functions of other runtimes: the
// files of the folder `inline` replace those of the same name.

import "./runtime.js";

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
