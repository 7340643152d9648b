// What the package exports. The same with the engine inside is `inline.js`: there the files of the folder
// `inline` are in the place of those of the same name.

export { Client } from "./client.js";
export { BowlineError } from "./error.js";
