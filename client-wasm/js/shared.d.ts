/**
 * One connection for all tabs: the tabs of an origin share one session and its one connection.
 *
 * Browsers open six HTTP/1.1 connections to a host, for all tabs together: with a stream in each
 * tab, the seventh tab loads nothing at all. With a `SharedClient` in each tab, only one of them,
 * the leader, is connected. When the leader is closed, crashes or is put to sleep by the browser,
 * another tab takes the session over, and nothing is lost, repeated or reordered for any of them.
 */

import { type AnyContract, BowlineError, Client, type Contract, type Options } from "./index.js";

/**
 * A client that shares its session with the shared clients of the same URL in other tabs.
 *
 * Use it like any {@link Client}. For the server, all tabs together are one session:
 * - The session uses `auth`, and the other options of the connection, of the tab that led when the
 *   session was opened. Tabs of different users must use different URLs, and an application that
 *   signs a user out closes the client in every tab.
 * - When one tab has the session join a room, all tabs are in it. Every event reaches every tab; a
 *   tab that is opened later receives events from then on.
 * - The answer to a request reaches the tab that sent it. If that tab is closed before, the answer
 *   is dropped.
 * - One tab that handles the name answers a request of the server, the leading one if it does. If
 *   that tab ends before it has answered, another tab handles the request. The server receives one
 *   answer.
 * - `status`, `transport`, `sessionId`, `rtt` and `stats` are those of the session. `ping` and
 *   `switchTransport` work in every tab. `outboxLimit` counts the packets of the tab itself.
 * - `close` makes the tab leave the session; its requests without an answer fail with
 *   `session-lost`. The last tab ends the session.
 * - When a tab has missed events, because its browser had put it to sleep, its status becomes
 *   `connected` with `resumed: false`.
 *
 * The session is not stored: it ends with its last tab. There is no `onSession`: tabs come and go,
 * and each may queue packets before another has set the session up. Without Web Locks or
 * BroadcastChannels (Node, pages without TLS, sandboxed frames) it is an ordinary client with a
 * session of its own.
 */
export class SharedClient<C extends Contract = AnyContract> extends Client<C> {
  constructor(url: string | URL, options?: Omit<Options, "store" | "onSession" | "setupTimeout">);
}

export { BowlineError };
