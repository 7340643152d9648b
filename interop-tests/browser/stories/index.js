/** What a user may rely on, told once and run over any transport. */

import { breaking } from "./breaking.js";
import { failing } from "./failing.js";
import { interfaces } from "./interface.js";
import { namespaces } from "./namespaces.js";
import { payloads } from "./payloads.js";
import { staying } from "./staying.js";
import { streams } from "./streams.js";
import { talking } from "./talking.js";
import { topics } from "./topics.js";

const every = {
  ...talking,
  ...failing,
  ...breaking,
  ...interfaces,
  ...payloads,
  ...staying,
  ...topics,
  ...streams,
  ...namespaces,
};

/** Name, how the world is set, and what happens in it. */
export const stories = Object.entries(every).map(([name, story]) => ({
  name,
  settings: story.settings ?? {},
  run: story.run ?? story,
}));
