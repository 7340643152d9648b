// The exports of the package for browsers.

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
