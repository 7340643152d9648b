/** All rows: `{ name, packages, run(project) }`. The package's README lists them by these names. */

import { bundlers } from "./bundlers.mjs";
import { next } from "./next.mjs";
import { programs } from "./programs.mjs";
import { testing } from "./testing.mjs";
import { types } from "./types.mjs";
import { vite } from "./vite.mjs";

export const rows = [...next, ...vite, ...bundlers, ...testing, ...programs, ...types];
