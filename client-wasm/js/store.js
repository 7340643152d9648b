// Keeps a session in the page's storage, so that it goes on after a reload or a crash of the tab.

import { encoder } from "./utf8.js";

/** The keys that clients of this page have, for each storage. */
const claims = new Map();

/**
 * The `store` option of a client: the session is kept in `storage` under `key`. A page that is loaded
 * again goes on with it, and what the server had not confirmed is sent again.
 */
export const sessionStore = (key = "bowline", storage) => ({
  /**
   * Before anything else: takes over what an earlier page had kept, for the instance `me`. Returns what keeps the
   * session from then on, or nothing if another client of this page does so already.
   */
  load(keep, restore, hold, me) {
    const place = storage ?? ownStorage();
    const keys = claims.get(place) ?? new Set();
    if (keys.has(key)) return;
    // Where nothing is kept nobody is in the way.
    if (place) claims.set(place, keys.add(key));

    const name = (number) => key + "." + number;
    /** The line with which the server has welcomed the client to the session: it holds its secret. */
    let welcome;
    /** What stands under the key if no other page has written there: then this one writes no more. */
    let saved = null;
    let mine = !!place;
    let confirmed = 0;
    /** The number of the last packet. */
    let last = 0;
    /** Whose session it is, and what that one had sent, until the server has let this instance go on with it. */
    let claim;
    let isOver = false;

    const owns = () => (mine &&= place.getItem(key) === saved);

    const empty = () => {
      for (const other of Object.keys(place)) {
        if (other == key || other.startsWith(key + ".")) place.removeItem(other);
      }
      saved = null;
    };

    /** With a packet missing a later page could not go on, so it does not try; this one is not affected. */
    const write = (name, text) => {
      if (!owns()) return;
      try {
        place.setItem(name, text);
        if (name == key) saved = text;
      } catch {
        mine = false;
        empty();
      }
    };

    const put = (packet) => write(name(++last), packet);

    /** Writes what has changed: before anything is sent, so that a later page knows of it. */
    const sync = (received, through, counter, held, sent) => {
      if (!welcome || !owns()) return;
      while (confirmed < through) place.removeItem(name(++confirmed));
      const state = JSON.stringify({ welcome, received, confirmed, counter, held, page: me, by: me, sent, ...claim });
      if (state != saved) write(key, state);
    };

    const goOn = (state) => {
      welcome = state.welcome;
      last = confirmed = state.confirmed;
      for (let packet; (packet = place.getItem(name(last + 1))) != null; last++) {
        keep(packet, encoder.encode(packet).length, /^[rf]/i.test(packet));
      }
      claim = { by: state.by ?? 0, sent: state.sent ?? last };
      // The page may have died before it wrote the last attach counters.
      const counter = state.counter + COUNTERS;
      restore(claim.by, claim.sent, welcome, counter, state.received, confirmed);
      if (state.held) hold(state.held);
      // A page that shares the storage and still lives learns by it that it does not own it any more.
      sync(state.received, confirmed, counter, state.held);
    };

    if (mine) {
      let state;
      try {
        state = JSON.parse((saved = place.getItem(key)));
      } catch {
        // Something else stands there.
      }
      if (state) goOn(state);
      else empty();
    }

    return {
      /** The server has welcomed the client, perhaps to a new session, in which `kept` waits. */
      open(line, kept) {
        claim = undefined;
        if (!line.includes(" secret=")) return;
        if (welcome) {
          mine = !!place && [saved, null].includes(place.getItem(key));
          if (mine) empty();
          // The welcome confirms what went out beside the open and is not kept any more.
          last = confirmed = +/ recv=(\d+)/.exec(line)[1];
          kept.forEach(put);
        }
        welcome = line;
      },

      put,

      /** What the server has not confirmed, after something of it was withdrawn, or put before the rest. */
      renew(kept) {
        while (last > confirmed && owns()) place.removeItem(name(last--));
        kept.forEach(put);
      },

      sync,

      /** The client is over, or about to be: what it had kept is of no more use, unless it `stays`. */
      end(stays) {
        if (isOver) return;
        isOver = true;
        keys.delete(key);
        if (!stays && owns()) empty();
        mine = false;
      },
    };
  },
});

/** Pages in a sandbox and programs have none: then nothing is kept. */
const ownStorage = () => {
  try {
    // Without a page all visitors of a server that renders would have the same one.
    return globalThis.document && sessionStorage;
  } catch {
    return undefined;
  }
};

/** More than a page attaches between two writes. */
const COUNTERS = 1000;
