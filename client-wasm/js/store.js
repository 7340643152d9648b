// Keeps a session in the page's storage, so that it goes on after a reload or a crash of the tab.

import { encoder } from "./wire.js";

/**
 * The `store` option of a client: the session is kept in `storage` under `key`. A page that is loaded
 * again goes on with it, and what the server had not confirmed is sent again.
 */
export const sessionStore = (key = "bowline", storage = sessionStorage) => {
  const name = (number) => key + "." + number;
  /** The line with which the server has welcomed the client to the session: it holds its secret. */
  let welcome;
  let saved = "";
  let confirmed = 0;
  /** The number of the last packet. */
  let last = 0;

  let full = false;

  /** With a packet missing a later page could not go on, so it does not try; this one is not affected. */
  const write = (name, text) => {
    try {
      if (!full) storage.setItem(name, text);
    } catch {
      full = true;
      clear();
    }
  };

  const clear = () => {
    Object.keys(storage)
      .filter((other) => other == key || other.startsWith(key + "."))
      .forEach((other) => storage.removeItem(other));
    saved = "";
  };

  const put = (packet) => write(name(++last), packet);

  return {
    /** Before anything else: takes over what an earlier page had kept. */
    load(keep, restore, hold) {
      let state;
      try {
        state = JSON.parse(storage.getItem(key));
      } catch {
        return clear();
      }
      if (!state) return clear();
      welcome = state.welcome;
      last = confirmed = state.confirmed;
      for (let packet; (packet = storage.getItem(name(last + 1))) != null; last++) {
        keep(packet, encoder.encode(packet).length, /^[rf]/i.test(packet));
      }
      // The page may have died before it wrote the last attach counters.
      restore(welcome, state.counter + COUNTERS, state.received, confirmed);
      if (state.held) hold(state.held);
    },

    /** The server has welcomed the client, perhaps to a new session, in which `kept` waits. */
    open(line, kept) {
      if (!line.includes(" secret=")) return;
      if (welcome) {
        clear();
        last = confirmed = 0;
        kept.forEach(put);
      }
      welcome = line;
    },

    put,

    /** What the server has not confirmed, after something of it was withdrawn, or put before the rest. */
    renew(kept) {
      while (last > confirmed) storage.removeItem(name(last--));
      kept.forEach(put);
    },

    /** Writes what has changed. */
    sync(received, through, counter, held) {
      if (!welcome) return;
      while (confirmed < through) storage.removeItem(name(++confirmed));
      const state = JSON.stringify({ welcome, received, confirmed, counter, held });
      if (state != saved) write(key, (saved = state));
    },

    clear,
  };
};

/** More than a page attaches between two writes. */
const COUNTERS = 1000;
