/**
 * Real-time sessions that survive their connections: the Bowline client for browsers and Node.
 *
 * Importing the module does nothing yet, so a server may render with it. The first client loads the WebAssembly in the
 * background. Every call works at once but for those that say they return a promise: what is said meanwhile waits, in order.
 */

/** What a transport is called. */
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
  /** Sent with the open of every session, for the server's connect hook: a JSON value, or a function that is asked before each open. */
  auth?: unknown | (() => unknown | Promise<unknown>);
  /** The transports in order of preference. Defaults to `["websocket", "sse", "polling"]`. */
  transports?: Transport[];
  /** How long a request waits for its answer, in milliseconds; `Infinity` waits as long as the session lives. Defaults to 20 000. */
  requestTimeout?: number;
  /** How long one attempt with one transport may take, in milliseconds. Defaults to 5 000. */
  connectTimeout?: number;
  /**
   * Milliseconds for which a transport that failed where a lower one serves is left alone before it is tried again, in the
   * background; 60,000 unless stated. Each further failure doubles it, up to 16 times as long.
   */
  trialInterval?: number;
  /** How long `connect()` may take, in milliseconds, before it rejects with `connect-deadline`; the client goes on trying. Defaults to no limit. */
  connectDeadline?: number;
  /**
   * Headers of every request, WebSockets included, such as cookies and an authorization: an object, or a function that is asked
   * before each request. In Node, Bun and Deno only: no browser can send them with a WebSocket, and refuses this with
   * `invalid-option`. A runtime whose WebSocket takes no headers leaves that transport out; `diagnostics()` says so.
   */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** Bytes that wait to be confirmed by the server at most. What is emitted above it is refused with `full`. Defaults to 8 MiB. */
  outboxLimit?: number;
  /** What follows when the server no longer has the session. Defaults to `"reopen"`. */
  onSessionLost?: "reopen" | "stop";
  /**
   * Sets each new session up, the first one and those that follow a loss, before anything that is queued goes out: to log in, say.
   * Not called when a session is resumed. What is sent through `setup` goes first; what the client was given before or meanwhile
   * waits in order, and volatile events are dropped: inside it, do not wait for a request of the client itself. The status is
   * `connected`, and `connect()` resolves, when the promise does. If it rejects or takes longer than `setupTimeout`, it is
   * called again in the same session after a while, and nothing that is queued is lost; after `client.close()` it ends the client.
   */
  onSession?: (setup: Setup) => unknown;
  /** How long `onSession` may take, in milliseconds. Defaults to 20 000. */
  setupTimeout?: number;
  /** Keeps the session, so that it goes on after a reload or a crash of the tab: `sessionStore()` of `bowline-client/store`. Defaults to nothing. */
  store?: Store;
}

/** Sends as the client does, but before everything that is queued. Of no use any more once its session is lost: `session-lost`. */
export type Setup = Pick<Client, "emit" | "request">;

/** Where a session is kept; made by `sessionStore()` of `bowline-client/store`. */
export interface Store {
  /** @internal */
  load(...words: unknown[]): unknown;
}

/** Where the client stands. */
export type Status =
  | { state: "idle" }
  | { state: "connecting"; transport: Transport }
  | { state: "connected"; transport: Transport; resumed: boolean }
  /** No transport has worked: the next round of attempts comes in `retryIn` milliseconds. */
  | { state: "waiting"; retryIn: number }
  /** The server no longer has the session: `confirmed` packets had arrived there, `unknown` ones may or may not have. */
  | { state: "session-lost"; code: number; confirmed: number; unknown: number }
  /** The end. `reason` is what the server said about it, or with the code 0 why the client could not go on by itself. */
  | { state: "closed"; code: number; reason?: unknown };

/** Counters since the client was made. */
export interface Stats {
  /** Times that the client was welcomed again after its first welcome. */
  reconnects: number;
  /** Those of them that resumed the session without loss. */
  resumes: number;
  /** Sessions that could not be resumed. */
  sessionsLost: number;
  /** Welcomes on another transport than the welcome before. */
  transportSwitches: number;
  /** Volatile events that were dropped before they were sent. */
  droppedVolatile: number;
  /** Packets that wait for the server's confirmation now. */
  inFlight: number;
}

/** What a client has found out about its network. */
export interface Diagnostics {
  /** The mount point. */
  url: string;
  /** The transport that serves, while connected. */
  transport: Transport | undefined;
  /** What was found out, the oldest first; 64 findings at most. `at` is in milliseconds since the client was made. */
  found: { at: number; transport: Transport; words: string }[];
  /** A text for whoever runs the network. It holds no secrets. */
  toString(): string;
}

/** Somebody who is present in a room. */
export interface Present<T = unknown> {
  /** The session's public id. */
  session: string;
  /** What the server's application says of it. */
  info: T;
  /** Its client has been without a connection for a while, and may come back. */
  away?: true;
}

/** The payload of the event `bowline.presence`: who has come to a room, and who has gone. */
export interface PresenceChange<T = unknown> {
  room: string;
  /** They are present from now on, or with another `info` or `away` than before. Add or replace them. */
  joined: Present<T>[];
  /** They are present no longer. */
  left: Present<T>[];
}

/** An event as an iterator yields it. */
export interface Received<P> {
  payload: P;
  bytes?: Uint8Array;
}

/** A place in the history of a room. */
export interface Position {
  /** Which history: one that was lost begins anew under another name. */
  epoch: string;
  /** The message's sequence number in it, from 1; 0 before the first. */
  offset: number;
}

/** The payload of an event that is kept in the history of its room. */
export interface Kept<P> {
  at: Position;
  payload: P;
}

/** From where on a follower of a history wants what was said: the argument of the server's request for that. */
export type Since = "now" | { last: number } | { after: Position };

/** What a follower of a history got: the reply of the server's request for that. */
export interface Recovered {
  /** Where it is now. */
  at: Position;
  /** How many events it was sent. */
  replayed: number;
  /** What it wanted and is no longer kept: offsets, both included, or unknown since the history began anew. */
  missing: null | { range: { from: number; to: number } } | "unknown";
}

/**
 * The one error of this module.
 *
 * `code` is one of
 * - `full`: the outbox limit is reached; nothing was sent,
 * - `too-large`: the server accepts no packet of this size; nothing was sent,
 * - `invalid-name`: names are 1 to 128 bytes without spaces and control characters,
 * - `invalid-payload`: JSON cannot say the payload, or the bytes are none; nothing was sent,
 * - `invalid-option`: an option of the constructor, named by the message,
 * - `load-failed`: the WebAssembly cannot be fetched or may not be run, as the message says: this client is closed,
 * - `connect-deadline`: the `connectDeadline` is over; the message says what was met last, and the client goes on trying,
 * - `unauthorized`, `forbidden`, `not-found`, `method-not-allowed`, `proxy-authentication`, `redirected`, `rejected`, `not-bowline`,
 *   `tls-expected`, `tls-missing`, `untrusted-certificate`, `no-websocket`: every transport is refused in a way that waiting does not
 *   mend; the client has ended with `closeCode` 4310, and the package's README says what to change,
 * - `closed`: the client is closed; `closeCode` and `payload` say why,
 * - `timeout`: no answer to a request came in time; see `sent`,
 * - `session-lost`: the session ended before the answer to a request came; see `sent`,
 * - `aborted`: the signal was aborted; for a request see `sent`,
 * - `would-deadlock`: asked by a handler while every handler of the server waits for this client,
 * - else the code with which the server's handler failed; `payload` and `bytes` are what it sent.
 */
export class BowlineError extends Error {
  constructor(code: string, message?: string, payload?: unknown, bytes?: Uint8Array);
  readonly code: string;
  /** True if the same call may succeed later. */
  readonly retryable: boolean;
  readonly closeCode?: number;
  /**
   * Of a request without an answer: false if it was never sent to the server and never will be, so that it may be asked
   * again without being handled twice; true if the server may have handled it, or may still handle it.
   */
  readonly sent?: boolean;
  readonly payload?: unknown;
  readonly bytes?: Uint8Array;
}

/** What is taken for bytes. They arrive as a `Uint8Array`. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** Ends a subscription. */
export type Unsubscribe = () => void;

type Name<T> = Extract<keyof T, string>;
type Payload<F> = F extends (payload: infer P) => any ? P : never;
type Reply<F> = F extends (payload: any) => infer R ? Awaited<R> : never;

/** A session with a server. */
export class Client<C extends Contract = AnyContract> {
  /**
   * A client of the server mounted at `url`, such as `/bowline`; not connected yet, so that subscriptions come first.
   * A relative URL is completed by that of the page or worker. Where there is none, as on a server that renders, it may be
   * constructed all the same, and `connect` rejects with `invalid-option`.
   */
  constructor(url: string | URL, options?: Options);

  /**
   * Starts the client; resolves when the server has welcomed it, rejects when the server refuses it for good or the
   * WebAssembly cannot be loaded.
   */
  connect(): Promise<void>;
  /** Ends the session; what was emitted before is sent first, for up to 5 seconds. */
  close(): Promise<void>;

  /**
   * Sends an event. It is kept until the server confirms it, also while there is no connection.
   *
   * The payload is what `JSON.stringify` makes of it, and must survive that: buffers inside it, `Blob`, `Map`, `Set`,
   * promises, a BigInt, cycles and half of a surrogate pair throw `invalid-payload`. A payload that is itself an
   * `ArrayBuffer` or a view of one (`Uint8Array`, `DataView` …) is sent as its bytes alone. What was never sent when a session is lost goes out first in the next one.
   */
  emit<N extends Name<C["sends"]>>(name: N, payload?: C["sends"][N], bytes?: Bytes): void;
  /** Sends an event that may be dropped: when not connected, or when newer ones displace it. Returns whether it was taken. */
  emitVolatile<N extends Name<C["sends"]>>(name: N, payload?: C["sends"][N], bytes?: Bytes): boolean;
  /**
   * Sends a request. The promise settles exactly once: with the reply, a failure, a timeout or the loss of the session.
   * A request that ends by a timeout or its signal before it was sent is withdrawn: the server never gets it.
   * A reply of bytes alone is a `Uint8Array`, one of bytes beside a payload is `{ payload, bytes }`.
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
  once<N extends Name<C["receives"]>>(name: N, options?: { signal?: AbortSignal }): Promise<C["receives"][N]>;
  /** The events of the name from now on. Ends when the client is closed, the signal is aborted or the loop is left. */
  events<N extends Name<C["receives"]>>(
    name: N,
    options?: { signal?: AbortSignal },
  ): AsyncIterableIterator<Received<C["receives"][N]>>;
  /**
   * Answers the server's requests of the name; throw a `BowlineError` to fail with its code.
   *
   * What the handler requests before its first `await` is taken for something that it waits for: while every handler of
   * the server waits for this client, such a request fails at once with the code `would-deadlock`. Later ones then end
   * with their timeout. What a handler requests that returns its answer at once is handled after that.
   */
  handle<N extends Name<C["handles"]>>(
    name: N,
    handler: (payload: Payload<C["handles"][N]>, bytes?: Uint8Array) => Reply<C["handles"][N]> | Promise<Reply<C["handles"][N]>>,
  ): Unsubscribe;

  readonly status: Status;
  /** Calls the listener with the present status and with every change of it. */
  onStatus(listener: (status: Status) => void, options?: { signal?: AbortSignal }): Unsubscribe;
  /** The transport that serves, while connected. */
  readonly transport: Transport | undefined;
  /** The public id of the session, once the server has given one. */
  readonly sessionId: string | undefined;
  /** The last measured round trip in milliseconds. */
  readonly rtt: number | undefined;
  readonly stats: Stats;
  /** Why the last carrier or attempt ended, for people. */
  readonly lastFailure: string | undefined;
  /** What was tried, what each attempt met, and why the present transport serves. As a string it can be sent to whoever runs the network. */
  diagnostics(): Diagnostics;
  /** Measures the round trip, once there is a connection; resolves with milliseconds, rejects when the client is closed first. */
  ping(): Promise<number>;
  /** Ends a wait for the next attempt; a connection that seems open has to prove itself within 2 seconds. The client does so by itself when a page comes back or the network does. */
  wake(): void;
  /** Moves the session to this transport now, without loss. */
  switchTransport(transport: Transport): void;
}
