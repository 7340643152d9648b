// What a page has learnt about its network, for the next page of its origin: which transport serves
// where better ones do not. Every verdict expires.

const place = (url) => "bowline " + url;

/** What `engine.verdict` said to an earlier page, if it is still to be believed; else 0. */
export const recall = (url) => {
  try {
    const [transport, until] = localStorage[place(url)].split(" ");
    const left = until - Date.now();
    // A clock that was set back makes no verdict last.
    return left > 0 && left < LONGEST ? +transport + 4 * left : 0;
  } catch {
    return 0;
  }
};

export const remember = (url, verdict) => {
  try {
    if (verdict) localStorage[place(url)] = (verdict % 4) + " " + (Date.now() + (verdict - (verdict % 4)) / 4);
    else delete localStorage[place(url)];
  } catch {
    // Storage is absent, forbidden or full: the next page finds out for itself.
  }
};

/** An hour, in milliseconds. */
const LONGEST = 36e5;
