// What the package exports to browsers.

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
