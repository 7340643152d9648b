// The engine, with packets, lines and texts of JavaScript: the engine itself uses the numbers of
// packets, and reads the fields of lines from its desk. The first client loads it.

import * as acts from "./acts.js";
import * as bare from "./bowline_bg.js";
import { imports, start } from "./bowline_wasm.js";
import { hold, leave } from "./desk.js";
import { instantiate } from "./instance.js";
import { KEY, bytes, isKey, read } from "./read.js";

export { create, release } from "./bowline_bg.js";

/** Performs one of the acts of `acts.js`. */
export const act = (id, what, a, b, c, d) =>
  bare.act(
    id,
    what,
    what <= acts.KEEP ? hold(a) : what <= acts.RESTORE ? leave(...fields(what, a)) : a,
    b,
    c,
    d,
  );

/** The fields of a line, or another text that may stand in its place. */
const fields = (what, text) => {
  const values = read(text);
  if (what == acts.LINE || values[0] > KEY) return values;
  return what == acts.RESTORE && isKey(text) ? [KEY, ...bytes(text)] : [0, text];
};

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
