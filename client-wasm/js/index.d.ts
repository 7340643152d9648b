/**
 * Real-time sessions that survive their connections: the Bowline client for browsers and Node.
 *
 * Importing the module has no effect yet, so a server that renders may import it. The first client
 * loads the WebAssembly in the background. Every call takes effect at once, except those that
 * return a promise: until the WebAssembly is loaded, calls wait in order.
 */

/** The name of a transport. */
export type Transport = "websocket" | "sse" | "polling";

/** The events and requests of an application, so that names and payloads are checked. */
export interface Contract {
  /** Events that the server sends: name to payload. */
  receives: Record<string, any>;
  /** Events that the client sends: name to payload. */
  sends: Record<string, any>;
  /** Requests of the client: name to a function from payload to reply. */
  requests: Record<string, (payload: any) => any>;
  /** Requests of the server, which the client handles: name to a function from payload to reply. */
  handles: Record<string, (payload: any) => any>;
}

/** A contract that allows everything. */
export type AnyContract = Contract;

export interface Options {
  /**
   * Sent with the `open` of every session, for the server's connect hook: a JSON value, or a
   * function that the client calls before each `open`.
   */
  auth?: unknown | (() => unknown | Promise<unknown>);
  /** The transports in order of preference. Defaults to `["websocket", "sse", "polling"]`. */
  transports?: Transport[];
  /**
   * How long a request waits for its answer, in milliseconds; `Infinity` waits as long as the
   * session lives. Defaults to 20 000.
   */
  requestTimeout?: number;
  /** How long one attempt with one transport may take, in milliseconds. Defaults to 5 000. */
  connectTimeout?: number;
  /**
   * How long the client avoids a transport that failed while a lower one served, before it tries
   * the transport again in the background, in milliseconds; 60,000 unless stated. Each further
   * failure doubles it, up to 16 times as long.
   */
  trialInterval?: number;
  /**
   * How long `connect()` may take, in milliseconds, before it rejects with `connect-deadline`; the
   * client keeps trying. Defaults to no limit.
   */
  connectDeadline?: number;
  /**
   * Headers of every request, WebSockets included, such as cookies and an authorization: an object,
   * or a function that the client calls before each request. In Node, Bun and Deno only: no browser
   * can send them with a WebSocket, so the constructor throws `invalid-option` there. If a
   * runtime's WebSocket accepts no headers, the client does not use that transport, and
   * `diagnostics()` says so.
   */
  headers?:
    Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /**
   * The most bytes that wait for the server's confirmation. Above it `emit` throws `full`. Defaults
   * to 8 MiB.
   */
  outboxLimit?: number;
  /** What the client does when the server no longer has the session. Defaults to `"reopen"`. */
  onSessionLost?: "reopen" | "stop";
  /**
   * Sets up each new session, the first one and those that follow a loss, before the client sends
   * any queued packet: for a login, for example. The client does not call it when it resumes a
   * session. Packets of `setup` go first; those of the client itself, from before or meanwhile,
   * wait in order, and volatile events are dropped: do not await a request of the client itself in
   * here. The status becomes `connected`, and `connect()` resolves, when the promise does. If it
   * rejects or takes longer than `setupTimeout`, the client calls it again in the same session
   * after a while, and no queued packet is lost; after `client.close()` a rejection ends the
   * client.
   */
  onSession?: (setup: Setup) => unknown;
  /** How long `onSession` may take, in milliseconds. Defaults to 20 000. */
  setupTimeout?: number;
  /**
   * Stores the session, so that it continues after a reload or a crash of the tab: `sessionStore()`
   * of `bowline-client/store`. Defaults to nothing.
   */
  store?: Store;
}

/**
 * Sends as the client does, but before all queued packets. Once its session is lost, it fails with
 * `session-lost`.
 */
export type Setup = Pick<Client, "emit" | "request">;

/** A store for a session; made by `sessionStore()` of `bowline-client/store`. */
export interface Store {
  /** @internal */
  load(...words: unknown[]): unknown;
}

/** The status of the client. */
export type Status =
  | { state: "idle" }
  | { state: "connecting"; transport: Transport }
  | { state: "connected"; transport: Transport; resumed: boolean }
  /** Every transport has failed: the next round of attempts starts in `retryIn` milliseconds. */
  | { state: "waiting"; retryIn: number }
  /**
   * The server no longer has the session: it had received `confirmed` packets, and may or may not
   * have received `unknown` ones.
   */
  | { state: "session-lost"; code: number; confirmed: number; unknown: number }
  /**
   * The client has ended. `reason` is the server's reason, or with the code 0 why the client could
   * not continue.
   */
  | { state: "closed"; code: number; reason?: unknown };

/** Counters since the client was constructed. */
export interface Stats {
  /** Welcomes after the first one. */
  reconnects: number;
  /** Welcomes that resumed the session without loss. */
  resumes: number;
  /** Sessions that could not be resumed. */
  sessionsLost: number;
  /** Welcomes on another transport than the one before. */
  transportSwitches: number;
  /** Volatile events that were dropped before they were sent. */
  droppedVolatile: number;
  /** Packets that wait for the server's confirmation now. */
  inFlight: number;
}

/** What a client has found out about its network. */
export interface Diagnostics {
  /** The URL of the mount point. */
  url: string;
  /** The transport of the current carrier, while connected. */
  transport: Transport | undefined;
  /** The findings, oldest first; 64 at most. */
  found: Finding[];
}

/** One thing that a client has found out about a transport. */
export interface Finding {
  /** Milliseconds since the client was constructed. */
  at: number;
  transport: Transport;
  /**
   * What happened:
   * - `tried`: an attempt started,
   * - `slow`: the WebSocket is still not open, and continues as a trial beside the next transport,
   * - `failed`: the attempt ended before the server's welcome,
   * - `serves`: the server sent its welcome,
   * - `lost`: the carrier ended after it had served,
   * - `avoided`: the client avoids the transport for the `duration`,
   * - `trial`: a trial started beside the present carrier,
   * - `trial-failed`: the trial has shown that the transport does not work,
   * - `proven`: the trial has shown that the transport works, and it becomes the carrier.
   */
  finding:
    | "tried"
    | "slow"
    | "failed"
    | "serves"
    | "lost"
    | "avoided"
    | "trial"
    | "trial-failed"
    | "proven";
  /** Milliseconds. */
  duration: number;
  /** Why it failed: a code of the package's README, or the close code of the server. */
  code: string | number | undefined;
  /** The text of the runtime or the status of HTTP, if there is one. */
  detail: string | undefined;
}

/** A session that is present in a room. */
export interface Present<T = unknown> {
  /** The session's public id. */
  session: string;
  /** What the server's application publishes about the session. */
  info: T;
  /** True while the client has had no connection for some time and may still come back. */
  away?: true;
}

/** The payload of the event `bowline.presence`: the sessions that joined or left a room. */
export interface PresenceChange<T = unknown> {
  room: string;
  /**
   * The sessions that joined, changed their `info`, or whose client is away or back. Add or replace
   * them.
   */
  joined: Present<T>[];
  /** The sessions that left. */
  left: Present<T>[];
}

/** An event as an iterator yields it. */
export interface Received<P> {
  payload: P;
  bytes?: Uint8Array;
}

/** A position in the history of a room. */
export interface Position {
  /**
   * The name of the history. When a server loses a history, it begins a new one under another name.
   */
  epoch: string;
  /** The message's sequence number, from 1; 0 is the position before the first message. */
  offset: number;
}

/** The payload of an event that the server stores in the history of its room. */
export interface Kept<P> {
  at: Position;
  payload: P;
}

/**
 * The position from which a follower wants messages: the argument of the server's request for that.
 */
export type Since = "now" | { last: number } | { after: Position };

/** The server's answer to a follower: the reply of that request. */
export interface Recovered {
  /** The position of the follower. The next event has the next offset. */
  at: Position;
  /** The number of stored events that the server sent to the follower. */
  replayed: number;
  /**
   * The messages that the follower asked for and the server no longer has: offsets, both included,
   * or unknown since the history began anew.
   */
  missing: null | { range: { from: number; to: number } } | "unknown";
}

/**
 * The only error class of this module.
 *
 * `code` is one of
 * - `full`: the outbox limit is reached; nothing was sent,
 * - `too-large`: the server accepts no packet of this size; nothing was sent,
 * - `invalid-name`: names are 1 to 128 bytes without spaces and control characters,
 * - `invalid-payload`: JSON cannot represent the payload, or the bytes are none; nothing was sent,
 * - `invalid-option`: an option of the constructor, named by the message,
 * - `load-failed`: the WebAssembly cannot be fetched or must not run, as the message states: this
 *   client is closed,
 * - `connect-deadline`: the `connectDeadline` has passed; the message states the last failure, and
 *   the client keeps trying,
 * - `unauthorized`, `forbidden`, `not-found`, `method-not-allowed`, `proxy-authentication`,
 *   `redirected`, `rejected`, `not-bowline`, `tls-expected`, `tls-missing`,
 *   `untrusted-certificate`, `no-websocket`: every transport is refused, and waiting does not
 *   change that; the client has ended with `closeCode` 4310, and the package's README lists what to
 *   change,
 * - `closed`: the client is closed; `closeCode` and `payload` have the reason,
 * - `timeout`: no answer to a request arrived in time; see `sent`,
 * - `session-lost`: the session ended before the answer to a request arrived; see `sent`,
 * - `aborted`: the signal was aborted; for a request see `sent`,
 * - `rate-limited`: the client sends more than the server allows; `payload` is
 *   `{ limit: string, retry: number }`, with the milliseconds after which to retry,
 * - `would-deadlock`: a handler sent the request while every handler of the server waits for this
 *   client,
 * - otherwise the code with which the server's handler failed; `payload` and `bytes` are those of
 *   the failure.
 */
export class BowlineError extends Error {
  constructor(code: string, message?: string, payload?: unknown, bytes?: Uint8Array);
  readonly code: string;
  /** True if the same call may succeed later. */
  readonly retryable: boolean;
  readonly closeCode?: number;
  /**
   * For a request without an answer: false if the client never sent it and has withdrawn it, so
   * that the caller may send it again; true if the server may have handled it, or may still handle
   * it.
   */
  readonly sent?: boolean;
  readonly payload?: unknown;
  readonly bytes?: Uint8Array;
}

/** The types that are sent as bytes. They arrive as a `Uint8Array`. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** Ends a subscription. */
export type Unsubscribe = () => void;

type Name<T> = Extract<keyof T, string>;
type Payload<F> = F extends (payload: infer P) => any ? P : never;
type Reply<F> = F extends (payload: any) => infer R ? Awaited<R> : never;

/** A session with a server. */
export class Client<C extends Contract = AnyContract> {
  /**
   * Creates a client of the server mounted at `url`, such as `/bowline`. It does not connect yet,
   * so that the application can subscribe first. A relative URL is completed by that of the page or
   * worker. Where there is none, as on a server that renders, the constructor succeeds as well, and
   * `connect` rejects with `invalid-option`.
   */
  constructor(url: string | URL, options?: Options);

  /**
   * Connects; resolves when the server has sent its welcome, rejects when the server refuses the
   * client for good or the WebAssembly cannot be loaded.
   */
  connect(): Promise<void>;
  /** Ends the session, after the client has sent all earlier packets, for up to 5 seconds. */
  close(): Promise<void>;

  /**
   * Sends an event. The client stores it until the server confirms it, also while it is not
   * connected.
   *
   * The payload is converted with `JSON.stringify`, and must survive that: buffers inside it,
   * `Blob`, `Map`, `Set`, promises, a BigInt, cycles and half of a surrogate pair throw
   * `invalid-payload`. A payload that is itself an `ArrayBuffer` or a view of one (`Uint8Array`,
   * `DataView` …) is sent as its bytes alone. When a session is lost, the client sends the packets
   * that it had never sent first in the next one.
   */
  emit<N extends Name<C["sends"]>>(name: N, payload?: C["sends"][N], bytes?: Bytes): void;
  /**
   * Sends a volatile event. The client drops it while it is not connected, or in favour of newer
   * ones. Returns true if the client has queued it.
   */
  emitVolatile<N extends Name<C["sends"]>>(
    name: N,
    payload?: C["sends"][N],
    bytes?: Bytes,
  ): boolean;
  /**
   * Sends a request. The promise settles exactly once: with the reply, a failure, a timeout or the
   * loss of the session. The client withdraws a request that ends by a timeout or its signal before
   * it was sent: the server never receives it. A reply of bytes alone is a `Uint8Array`, one of
   * bytes beside a payload is `{ payload, bytes }`.
   */
  request<N extends Name<C["requests"]>>(
    name: N,
    payload?: Payload<C["requests"][N]>,
    options?: { timeout?: number; signal?: AbortSignal; bytes?: Bytes },
  ): Promise<Reply<C["requests"][N]>>;

  /** Calls the listener with every event of the name. */
  on<N extends Name<C["receives"]>>(
    name: N,
    listener: (payload: C["receives"][N], bytes?: Uint8Array) => void,
    options?: { signal?: AbortSignal; once?: boolean },
  ): Unsubscribe;
  /** Resolves with the next event of the name. */
  once<N extends Name<C["receives"]>>(
    name: N,
    options?: { signal?: AbortSignal },
  ): Promise<C["receives"][N]>;
  /**
   * The events of the name from now on. Ends when the client is closed, the signal is aborted or
   * the loop is left.
   */
  events<N extends Name<C["receives"]>>(
    name: N,
    options?: { signal?: AbortSignal },
  ): AsyncIterableIterator<Received<C["receives"][N]>>;
  /**
   * Answers the server's requests of the name; throw a `BowlineError` to fail with its code.
   *
   * The client assumes that the handler waits for the requests that it sends before its first
   * `await`: while every handler of the server waits for this client, such a request fails at once
   * with the code `would-deadlock`. Later requests then end with their timeout. If the handler
   * returns its answer at once, the server handles those requests after it.
   */
  handle<N extends Name<C["handles"]>>(
    name: N,
    handler: (
      payload: Payload<C["handles"][N]>,
      bytes?: Uint8Array,
    ) => Reply<C["handles"][N]> | Promise<Reply<C["handles"][N]>>,
  ): Unsubscribe;

  readonly status: Status;
  /** Calls the listener with the present status and with every change of it. */
  onStatus(listener: (status: Status) => void, options?: { signal?: AbortSignal }): Unsubscribe;
  /** The transport of the current carrier, while connected. */
  readonly transport: Transport | undefined;
  /** The public id of the session, once the server has sent it. */
  readonly sessionId: string | undefined;
  /** The last measured round trip in milliseconds. */
  readonly rtt: number | undefined;
  readonly stats: Stats;
  /** Why the last carrier or attempt ended, as a text for people. */
  readonly lastFailure: string | undefined;
  /**
   * The transports that were tried, the result of each attempt, and why the present transport
   * serves. `describe` of `bowline-client/diagnostics` makes of it a text for the network's
   * administrator.
   */
  diagnostics(): Diagnostics;
  /**
   * Measures the round trip, once connected; resolves with milliseconds, rejects when the client is
   * closed first.
   */
  ping(): Promise<number>;
  /**
   * Ends a wait for the next attempt; the server has to respond on an open connection within 2
   * seconds. The client calls it by itself when a page or the network comes back.
   */
  wake(): void;
  /** Moves the session to this transport now, without loss. */
  switchTransport(transport: Transport): void;
}
