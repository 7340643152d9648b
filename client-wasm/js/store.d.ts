import type { Store } from "./index.js";

/**
 * The `store` option of a client: stores the session in `storage` (by default `sessionStorage`)
 * under `key` (by default `"bowline"`), for one client of the page at a time: the constructor of a
 * second one throws `invalid-option`, until `close` was called on the first. A page that is loaded
 * again after a reload or a crash continues the session: it receives the events of the meantime,
 * and sends unconfirmed packets again, once. The storage contains the session's secret, which any
 * script of the origin can read. When the storage is full, or there is none, nothing more is
 * stored: this page continues as before, a later one opens a new session. Sandboxed frames, workers
 * and servers that render have no storage.
 *
 * A duplicated tab has a copy of the state. Then the session belongs to the tab that attached last,
 * and the other one gets the status `session-lost` with the code 4105 and opens another session.
 * The same holds for tabs that share a storage, such as `localStorage`: it stores the session of
 * the tab that was loaded last.
 */
export function sessionStore(key?: string, storage?: Storage): Store;
