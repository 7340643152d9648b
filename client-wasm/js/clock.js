let skew = 0;
let latest = 0;

/** Milliseconds of a monotonic clock that continues while the machine sleeps. */
export const now = () => {
  const time = Date.now() + skew;
  if (time < latest) skew += latest - time;
  else latest = time;
  return latest;
};
