// A page's verdict on its network, for the next page of its origin: which transport serves while
// better ones do not. Every verdict expires.

const place = (url) => "bowline " + url;

/** The result of `engine.verdict` for an earlier page, if it is still valid; otherwise 0. */
export const recall = (url) => {
  try {
    const [transport, until] = localStorage[place(url)].split(" ");
    const left = until - Date.now();
    // A clock that was set back must not extend a verdict.
    return left > 0 && left < LONGEST ? +transport + 4 * left : 0;
  } catch {
    return 0;
  }
};

export const remember = (url, verdict) => {
  try {
    if (verdict)
      localStorage[place(url)] = (verdict % 4) + " " + (Date.now() + (verdict - (verdict % 4)) / 4);
    else delete localStorage[place(url)];
  } catch {
    // The storage is absent, forbidden or full: the next page finds out by itself.
  }
};

/** An hour, in milliseconds. */
const LONGEST = 36e5;
