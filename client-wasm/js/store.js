// Stores a session in the page's storage, so that it continues after a reload or a crash of the
// tab.

import { encoder } from "./utf8.js";

/** The keys that clients of this page use, for each storage. */
const claims = new Map();

/**
 * The `store` option of a client: `storage` stores the session under `key`. A page that is loaded
 * again continues the session, and sends unconfirmed packets again.
 */
export const sessionStore = (key = "bowline", storage) => ({
  /**
   * Called first: restores the state that an earlier page has stored, for the instance `me`.
   * Returns the object that stores the session from then on, or nothing if another client of this
   * page uses the key.
   */
  load(keep, restore, hold, me) {
    const place = storage ?? ownStorage();
    const keys = claims.get(place) ?? new Set();
    if (keys.has(key)) return;
    // Where nothing is stored, clients cannot collide.
    if (place) claims.set(place, keys.add(key));

    const name = (number) => key + "." + number;
    /** The line of the server's welcome to the session: it contains the secret. */
    let welcome;
    /**
     * The text under the key, unless another page has written there: then this page does not write
     * any more.
     */
    let saved = null;
    let mine = !!place;
    let confirmed = 0;
    /** The number of the last packet. */
    let last = 0;
    /**
     * The owner of the stored session, and the last packet that it had sent, until the server has
     * accepted this instance.
     */
    let claim;
    let isOver = false;

    const owns = () => (mine &&= place.getItem(key) === saved);

    const empty = () => {
      for (const other of Object.keys(place)) {
        if (other == key || other.startsWith(key + ".")) place.removeItem(other);
      }
      saved = null;
    };

    /**
     * Without one of the packets a later page could not continue, so it does not try; this page is
     * not affected.
     */
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

    /** Writes the changes before anything is sent, so that a later page knows of it. */
    const sync = (received, through, counter, held, sent) => {
      if (!welcome || !owns()) return;
      while (confirmed < through) place.removeItem(name(++confirmed));
      const state = JSON.stringify({
        welcome,
        received,
        confirmed,
        counter,
        held,
        page: me,
        by: me,
        sent,
        ...claim,
      });
      if (state != saved) write(key, state);
    };

    const goOn = (state) => {
      welcome = state.welcome;
      last = confirmed = state.confirmed;
      for (let packet; (packet = place.getItem(name(last + 1))) != null; last++) {
        keep(packet, encoder.encode(packet).length, /^[rf]/i.test(packet));
      }
      claim = { by: state.by ?? 0, sent: state.sent ?? last };
      // The page may have ended before it wrote the last attach counters.
      const counter = state.counter + COUNTERS;
      restore(claim.by, claim.sent, welcome, counter, state.received, confirmed);
      if (state.held) hold(state.held);
      // A page that shares the storage and still lives learns from it that it is not the owner any
      // more.
      sync(state.received, confirmed, counter, state.held);
    };

    if (mine) {
      let state;
      try {
        state = JSON.parse((saved = place.getItem(key)));
      } catch {
        // Another text is stored there.
      }
      if (state) goOn(state);
      else empty();
    }

    return {
      /** The server has sent a welcome, perhaps to a new session, in which `kept` waits. */
      open(line, kept) {
        claim = undefined;
        if (!line.includes(" secret=")) return;
        if (welcome) {
          mine = !!place && [saved, null].includes(place.getItem(key));
          if (mine) empty();
          // The welcome confirms packets that were sent beside the `open` and are not stored any
          // more.
          last = confirmed = +/ recv=(\d+)/.exec(line)[1];
          kept.forEach(put);
        }
        welcome = line;
      },

      put,

      /** The unconfirmed packets, after one was withdrawn, or inserted before the others. */
      renew(kept) {
        while (last > confirmed && owns()) place.removeItem(name(last--));
        kept.forEach(put);
      },

      sync,

      /** The client has ended, or is about to: its stored state is removed, unless it `stays`. */
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

/** Pages in a sandbox and programs have no storage: then nothing is stored. */
const ownStorage = () => {
  try {
    // Without a page, all visitors of a server that renders would share one storage.
    return globalThis.document && sessionStorage;
  } catch {
    return undefined;
  }
};

/** More than the attachments of a page between two writes. */
const COUNTERS = 1000;
