/**
 * Topics: rooms of the server that let clients in, where its application grants it.
 *
 * ```js
 * import { publish, subscribe } from "bowline-client/topics";
 *
 * const ticket = await subscribe(client, "ticket/7", { since: { last: 20 } });
 * for await (const message of ticket) {
 *   if (message.missing) console.log("some messages are lost", message.missing);
 *   else console.log(message.name, message.payload);
 * }
 * ```
 *
 * Works with every client of this package.
 */

import type { Bytes, Client, Position, Recovered, Since } from "./index.js";

/** The events of a topic: name to payload. */
export type Events = Record<string, any>;

/** A message that was published to a topic. */
export type Message<E extends Events = Events> = {
  [N in Extract<keyof E, string>]: {
    /** The topic; never a pattern. */
    topic: string;
    /** The name of the event. */
    name: N;
    payload: E[N];
    /** The position in the topic's history, if it has one. */
    at?: Position;
    bytes?: Uint8Array;
    missing?: undefined;
  };
}[Extract<keyof E, string>];

/**
 * Messages before the next one are lost: those that the history no longer has, or, for a topic
 * without a history, those that were published while the client had no session.
 */
export interface Missed {
  missing: NonNullable<Recovered["missing"]>;
  topic?: undefined;
  name?: undefined;
  payload?: undefined;
}

/**
 * A subscription to a topic or a pattern. Iterate it once: the loop ends when the subscription
 * does, and leaving the loop unsubscribes.
 */
export interface Subscription<E extends Events = Events> extends AsyncIterable<
  Message<E> | Missed
> {
  /** The topic, or the pattern. */
  readonly topic: string;
  /**
   * The last position that the client has received, if the topic has a history: for a later
   * subscription with `since: { after }`.
   */
  readonly position: Position | undefined;
  /** True while the grant allows the client to publish to the topic. */
  readonly mayPublish: boolean;
  /**
   * Why the subscription has ended: `closed` by this end, `revoked` by the server's application,
   * or the code of the server's failure when it refuses to renew the grant, such as `not-granted`.
   */
  readonly code: string | undefined;
  /** Unsubscribes. */
  close(): void;
}

/**
 * A grant that the server's application has signed, or a function that yields one: the client calls
 * it before each request, also before a grant expires.
 */
export type Grant = string | (() => string | Promise<string>);

/**
 * Subscribes to a topic, or to a pattern such as `ticket/*`. The client renews a grant before it
 * expires, and subscribes again in a new session, from the last position that it has received.
 *
 * `since` is the position from which it receives stored messages, `"now"` unless stated. Aborting
 * the signal unsubscribes.
 *
 * All tabs of a `SharedClient` are one session for the server: the client does not unsubscribe
 * there, since another tab may be subscribed; the session receives messages until it ends or its
 * grant expires.
 *
 * `grant` is presented to the server, where a key of the application has signed it.
 *
 * Rejects with a `BowlineError`: `not-granted` with the application's reason as its payload,
 * `no-topic`, `invalid-grant`, `grant-expired`, `invalid-topic`, `too-many-rooms`, `unavailable`, or a code of `request`.
 */
export function subscribe<E extends Events = Events>(
  client: Client<any>,
  topic: string,
  options?: { since?: Since; signal?: AbortSignal; grant?: Grant },
): Promise<Subscription<E>>;

/**
 * Publishes an event to a topic. Resolves with the position of the event if the topic has a
 * history. Rejects with `not-granted` without a grant to publish.
 *
 * An event with an `id`, a UUID such as that of `crypto.randomUUID()`, can be published again when
 * the client does not know what became of it: it is one event, and resolves with the position of
 * the first. Only a topic with a history recognizes ids; others reject with `no-history`.
 */
export function publish(
  client: Client<any>,
  topic: string,
  name: string,
  payload?: unknown,
  options?: { bytes?: Bytes; id?: string; timeout?: number; signal?: AbortSignal },
): Promise<Position | undefined>;
