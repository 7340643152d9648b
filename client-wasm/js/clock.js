let skew = 0;
let latest = 0;

/** Milliseconds; goes on while the machine sleeps, and never goes back. */
export const now = () => {
  const time = Date.now() + skew;
  if (time < latest) skew += latest - time;
  else latest = time;
  return latest;
};
