/**
 * One connection for all tabs: the tabs of an origin share one session and its one connection.
 *
 * Browsers open six HTTP/1.1 connections to a host, for all tabs together: with a stream in each tab the
 * seventh tab loads nothing at all any more. With a `SharedClient` in each tab only one of them, which
 * leads, is connected. When it is closed, crashes or is put to sleep by the browser, another tab takes the
 * session over, and nothing is lost, repeated or reordered for any of them.
 */

import { type AnyContract, BowlineError, Client, type Contract, type Options } from "./index.js";

/**
 * A client that shares its session with the shared clients of the same URL in other tabs.
 *
 * It is used as any {@link Client}. What the session is to the server, all tabs are together:
 * - `auth` is that of the tab that led when the session was opened, and so are the other options that the
 *   connection needs. Tabs of different users have to use different URLs, and whoever signs out closes
 *   the client in every tab.
 * - A room that one tab has the session join, all are in. Every event reaches every tab; a tab that is opened
 *   later has those from then on.
 * - The answer to a request reaches the tab that asked. If that is closed before, nobody gets it.
 * - A request of the server is answered by one tab that handles its name, the leading one if it does. If
 *   that tab dies before it has answered, another is asked. The server gets one answer.
 * - `status`, `transport`, `sessionId`, `rtt` and `stats` are those of the session. `ping` and
 *   `switchTransport` work in every tab. `outboxLimit` counts what the tab itself has said.
 * - `close` has the tab leave the session; its requests without an answer fail with `session-lost`. The last
 *   tab ends the session.
 * - When a tab has missed events, because its browser had put it away and it came back, it gets the status
 *   `connected` with `resumed: false`.
 *
 * A session is not stored: it ends with its last tab. There is no `onSession`: tabs come and go, and each may queue before
 * another has set the session up. Where there are no Web Locks or BroadcastChannels
 * (Node, pages without TLS, sandboxed frames) it is an ordinary client with a session of its own.
 */
export class SharedClient<C extends Contract = AnyContract> extends Client<C> {
  constructor(url: string | URL, options?: Omit<Options, "store" | "onSession" | "setupTimeout">);
}

export { BowlineError };
