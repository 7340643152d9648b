// One connection for all tabs: a client that shares its session with the clients of the same URL in
// other tabs.

import * as acts from "./acts.js";
import { BowlineError, Client } from "./index.js";
import { Tab } from "./shared/tab.js";

export { BowlineError };

export class SharedClient extends Client {
  /** For `topics.js`. */
  [Symbol.for("bowline.shared")] = true;
  #handlers;

  constructor(url, options) {
    if (options?.onSession)
      throw new BowlineError("invalid-option", "tabs that share a session have no onSession");
    if (options?.store)
      throw new BowlineError("invalid-option", "tabs that share a session have no store");
    let tab;
    const share = (engine, url, ...others) => {
      tab = new Tab("bowline 1 " + url, engine, ...others);
      return (what, ...words) => tab[NAMES[what]](...words);
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

/** Without locks every tab has a session of its own, and so does a sandboxed frame. */
const isPossible = () =>
  globalThis.origin && origin != "null" && navigator.locks && globalThis.BroadcastChannel;

/** The names of the acts in a tab. */
const NAMES = [];
for (const [name, what] of Object.entries(acts)) NAMES[what] = name.toLowerCase();
