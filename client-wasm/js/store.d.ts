import type { Store } from "./index.js";

/**
 * The `store` option of a client: keeps the session in `storage` (by default `sessionStorage`) under `key`
 * (by default `"bowline"`), for one client of the page at a time: a second one is refused with `invalid-option`, until `close` was
 * called on the first. A page that is loaded again after a reload or a crash goes on with the session:
 * events that came meanwhile arrive, and what the server had not confirmed is sent again, once. The session's secret lies
 * in the storage, where any script of the origin can read it. When the storage is full nothing is kept any more: this page goes
 * on as before, a later one opens a new session.
 */
export function sessionStore(key?: string, storage?: Storage): Store;
