// Replaces the engine until it is loaded: records the client's calls.

import * as acts from "./acts.js";
import { numbers } from "./desk.js";

/**
 * Records everything in `calls`, as lists of an act and its arguments. Packets may take `limit`
 * bytes together and get numbers that the engine never uses: see `numberOf`.
 */
export const waiting = (calls, limit) => {
  let bytes = 0;
  let closed;
  const count = (...kinds) => calls.filter(([what]) => kinds.includes(what)).length;
  return (what, ...words) => {
    if (what == acts.STATS) {
      numbers(0, 0, 0);
      return numbers(0, count(acts.EMIT_VOLATILE), count(acts.EMIT, acts.KEEP));
    }
    // The caller does not wait for the answer any more: the request is not sent.
    if (what == acts.FORGET) return delete calls[words[0] - numberOf(0)];
    if (what == acts.EMIT || what == acts.KEEP) {
      const size = words[1] + PLACE;
      if (what == acts.EMIT && closed) return acts.OVER;
      if (what == acts.EMIT && bytes && bytes + size > limit) return acts.FULL;
      bytes += size;
    }
    closed ||= what == acts.CLOSE;
    const number = numberOf(calls.push([what, ...words]) - 1);
    return what == acts.EMIT && number;
  };
};

/** The number of the packet of this call: a fraction, because the engine's numbers are whole. */
export const numberOf = (index) => index + 0.5;

/** Bytes that the engine counts for each packet beside its own. */
const PLACE = 64;
