// Ends things with an AbortSignal. There is one listener for each signal, however many wait for it:
// the signals of an application live long, adding a listener takes longer the more there are, and
// Node warns from the eleventh on.

const waiting = new WeakMap();

/** Calls `end` when the signal aborts, unless the returned function was called before. */
export const until = (signal, end) => {
  if (!signal || signal.aborted) return () => {};
  let ends = waiting.get(signal);
  if (!ends) {
    waiting.set(signal, (ends = new Set()));
    ends.all = () => ends.forEach((end) => end());
    signal.addEventListener("abort", ends.all);
  }
  ends.add(end);
  return () => {
    if (!ends.delete(end) || ends.size) return;
    waiting.delete(signal);
    signal.removeEventListener("abort", ends.all);
  };
};
