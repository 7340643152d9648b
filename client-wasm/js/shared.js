// One connection for all tabs: a client that shares its session with those of the same URL in other tabs.

import { BowlineError, Client } from "./index.js";
import { Tab } from "./shared/tab.js";

export { BowlineError };

export class SharedClient extends Client {
  #handlers;

  constructor(url, options) {
    const name = "bowline 1 " + new URL(url, globalThis.document?.baseURI).href.replace(/\/$/, "");
    let tab;
    const share = (acts, words, ...others) => {
      const engine = Object.fromEntries(NAMES.map((name, at) => [name, acts[at]]));
      const names = new Map(NAMES.map((name, at) => [acts[at], name]));
      tab = new Tab(name, engine, words, ...others);
      return (act, ...words) => tab[names.get(act)](...words);
    };
    super(url, isPossible() ? { ...options, store: undefined, share } : options);
    this.#handlers = tab?.handlers;
  }

  handle(name, handler) {
    const off = super.handle(name, handler);
    const handlers = this.#handlers;
    handlers?.set(name, handler);
    return () => {
      if (handlers?.get(name) == handler) handlers.delete(name);
      return off();
    };
  }
}

/** Without locks every tab has a session of its own, and so has a sandboxed frame. */
const isPossible = () =>
  globalThis.origin && origin != "null" && navigator.locks && globalThis.BroadcastChannel;

/** What `ACTS` in `client.js` does, in the same order. */
const NAMES = [
  "numbers", "part", "takeNumbers", "takeParts",
  "create", "release", "start", "close", "limit", "emit", "emit_volatile",
  "reply", "forget", "line", "sent", "polled", "posted", "ended",
  "introduce", "timeout", "suspend", "wake", "switch_to", "measure",
  "event", "output", "keep", "restore", "expect", "position", "kept",
  "stats",
];
