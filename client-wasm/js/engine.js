// The engine, with packets and text as JavaScript has them: the engine itself gets the numbers of packets,
// and reads text from its desk.

import * as acts from "./acts.js";
import * as bare from "./bowline_bg.js";
import { hold, leave } from "./desk.js";

export { create, release } from "./bowline_bg.js";

/** Does one of the acts of `acts.js`. */
export const act = (id, what, a, b, c, d) =>
  bare.act(id, what, what <= acts.KEEP ? hold(a) : what <= acts.RESTORE ? leave(a) : a, b, c, d);
