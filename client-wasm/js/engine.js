// The engine, with packets and texts of JavaScript: the engine itself uses the numbers of packets,
// and reads text from its desk. The first client loads it.

import * as acts from "./acts.js";
import * as bare from "./bowline_bg.js";
import { imports, start } from "./bowline_wasm.js";
import { hold, leave } from "./desk.js";
import { instantiate } from "./instance.js";

export { create, release } from "./bowline_bg.js";

/** Performs one of the acts of `acts.js`. */
export const act = (id, what, a, b, c, d) =>
  bare.act(id, what, what <= acts.KEEP ? hold(a) : what <= acts.RESTORE ? leave(a) : a, b, c, d);

let loading;

/** Resolves once the engine is ready. After a failure the next call tries again. */
export const load = () => (loading ||= attempt());

const attempt = async () => {
  try {
    start((await instantiate(imports)).instance.exports);
  } catch (error) {
    loading = undefined;
    throw error;
  }
};
