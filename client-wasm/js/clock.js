let skew = 0;
let latest = 0;

/** Milliseconds; goes on while the machine sleeps, and never goes back. */
export const now = () => {
  const time = Date.now() + skew;
  skew += Math.max(0, latest - time);
  return (latest = Math.max(latest, time));
};
