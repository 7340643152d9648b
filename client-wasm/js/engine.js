// The engine, with packets and text as JavaScript has them: the engine itself gets the numbers of packets,
// and reads text from its desk. It is loaded when the first client asks for it.

import * as acts from "./acts.js";
import * as bare from "./bowline_bg.js";
import { imports, start } from "./bowline_wasm.js";
import { hold, leave } from "./desk.js";
import { instantiate } from "./instance.js";

export { create, release } from "./bowline_bg.js";

/** Does one of the acts of `acts.js`. */
export const act = (id, what, a, b, c, d) =>
  bare.act(id, what, what <= acts.KEEP ? hold(a) : what <= acts.RESTORE ? leave(a) : a, b, c, d);

let loading;

/** Resolves once the engine can be used. After a failure the next call tries again. */
export const load = () => (loading ||= attempt());

const attempt = async () => {
  try {
    start((await instantiate(imports)).instance.exports);
  } catch (error) {
    loading = undefined;
    throw error;
  }
};
