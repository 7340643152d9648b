import type { Store } from "./index.js";

/**
 * The `store` option of a client: keeps the session in `storage` (by default `sessionStorage`) under `key`
 * (by default `"bowline"`), for one client of the page at a time: a second one is refused with `invalid-option`, until `close` was
 * called on the first. A page that is loaded again after a reload or a crash goes on with the session:
 * events that came meanwhile arrive, and what the server had not confirmed is sent again, once. The session's secret lies
 * in the storage, where any script of the origin can read it. When the storage is full, or there is none, nothing is kept any
 * more: this page goes on as before, a later one opens a new session. Without storage are sandboxed frames, and whatever is no
 * page: workers, and servers that render.
 *
 * A tab that is duplicated takes a copy along. Then the session belongs to the tab that attached last, and the other one is
 * told `session-lost` with the code 4105 and opens another session. So it is with tabs that share a storage, such as
 * `localStorage`: it keeps the session of the tab that was loaded last.
 */
export function sessionStore(key?: string, storage?: Storage): Store;
