// Topics: rooms of the server that let clients in. Needs nothing of a client but what is public, so
// that pages without topics do not load it.
//
// Spec: 11-topics.

import { now } from "./clock.js";
import { Queue } from "./queue.js";
import { Registry } from "./topics/registry.js";

/** What each client has subscribed to. */
const registries = new WeakMap();

/** Subscribes to a topic or a pattern. Resolves once the server has granted it. */
export const subscribe = async (client, topic, { since, signal, grant, ...unknown } = {}) => {
  for (const name in unknown) throw new TypeError("subscribe knows no option " + name);
  signal?.throwIfAborted();
  if (!registries.has(client)) registries.set(client, new Registry(client));
  const subscription = new Subscription(topic, registries.get(client), grant);
  await subscription.begin(since, signal);
  return subscription;
};

/** Publishes to a topic. Resolves with the position, if the topic has a history. */
export const publish = async (client, topic, name, payload, { bytes, id, ...options } = {}) => {
  const asked = { topic, name, payload, id };
  const published = await client.request("bowline.publish", asked, { ...options, bytes });
  return published?.at;
};

class Subscription {
  #registry;
  #grant;
  #queue = new Queue();
  #iterator = this.#queue.iterator(() => this.close());
  #granted = {};
  #grantedAt = -Infinity;
  code;
  /** The last position that was received. */
  #at;
  /** The session that is subscribed, or is about to be. */
  #session;
  #timer;
  /** Requests under way. */
  #asks = 0;
  #unwatch;
  #unheed;

  constructor(topic, registry, grant) {
    this.topic = topic;
    this.#grant = grant;
    this.#registry = registry;
  }

  get position() {
    return this.#at;
  }

  get mayPublish() {
    return !!this.#granted.publish;
  }

  [Symbol.asyncIterator]() {
    return this.#iterator;
  }

  /** Unsubscribes. */
  close() {
    this.#end("closed");
  }

  async begin(since, signal) {
    this.#at = since?.after;
    this.#registry.add(this);
    try {
      await this.#ask(since, signal);
    } catch (error) {
      // The server may still grant what it has not answered.
      this.#end(error.sent ? "closed" : "refused");
      this.#disturb(error);
      throw error;
    }
    if (signal) {
      const stop = () => this.close();
      signal.addEventListener("abort", stop);
      this.#unheed = () => signal.removeEventListener("abort", stop);
      if (signal.aborted) stop();
    }
    this.#unwatch = this.#registry.client.onStatus((status) => this.#heed(status));
  }

  /** A message of the topic, or of one that the pattern matches. */
  receive(message, at) {
    if (at) {
      if (this.#has(at)) return;
      this.#report({ epoch: at.epoch, offset: at.offset - 1 });
      this.#at = at;
    }
    this.#queue.push(message);
  }

  /** The server has ended the subscription. */
  ended(code) {
    if (code != "expired") return this.#end(code);
    // A topic without a history may lose messages until the client has subscribed again.
    if (!this.#at && this.#session) this.#queue.push({ missing: "unknown" });
    if (!this.#asks) this.#renewIn(this.#grantedAt + LEAST_INTERVAL - now());
  }

  #has(at) {
    return this.#at?.epoch == at.epoch && this.#at.offset >= at.offset;
  }

  /** Reports what is missing up to this position. */
  #report({ epoch, offset }) {
    if (!this.#at) return;
    if (this.#at.epoch != epoch) this.#queue.push({ missing: "unknown" });
    else if (this.#at.offset < offset)
      this.#queue.push({ missing: { range: { from: this.#at.offset + 1, to: offset } } });
  }

  async #ask(since, signal) {
    const { client } = this.#registry;
    const asked = { topic: this.topic };
    if (since && since != "now") asked.since = since;
    this.#asks++;
    let granted;
    try {
      asked.grant = await (this.#grant?.call ? this.#grant() : this.#grant);
      granted = await client.request("bowline.subscribe", asked, { signal });
    } finally {
      this.#asks--;
    }
    this.#granted = granted;
    this.#grantedAt = now();
    this.#session = client.sessionId;
    const { expires, history } = granted;
    if (history) this.#recover(history.at, since?.after);
    // The position with which the application has begun is none of this topic.
    else this.#at = undefined;
    clearTimeout(this.#timer);
    if (expires && !this.code) {
      const notice = Math.min(MOST_NOTICE, expires / 4);
      this.#renewIn(Math.max(expires - notice, LEAST_INTERVAL));
    }
  }

  /** The server has sent everything that it has up to this position. */
  #recover(at, asked) {
    // The history has lost its end, and gives the same offsets to other messages.
    const isBehind =
      asked && asked == this.#at && asked.epoch == at.epoch && asked.offset > at.offset;
    if (isBehind) this.#queue.push({ missing: "unknown" });
    else if (this.#has(at)) return;
    else this.#report(at);
    this.#at = at;
  }

  /** A refusal ends the grant of the session, which other subscriptions of this name share. */
  #disturb({ code }) {
    if (!OWN.has(code)) this.#registry.renew(this.topic);
  }

  /** Asks again, because the grant may have ended; a request that is under way does that. */
  renew() {
    if (!this.#asks) this.#renew();
  }

  /** Renews the grant after this time, in milliseconds. */
  #renewIn(pause) {
    clearTimeout(this.#timer);
    if (pause <= 0) this.#renew();
    else this.#timer = setTimeout(() => this.#renew(), Math.min(pause, MOST_TIMER));
  }

  /** Subscribes again, until the server has decided. */
  async #renew(pause = LEAST_PAUSE) {
    clearTimeout(this.#timer);
    try {
      await this.#ask(this.#at && { after: this.#at });
    } catch (error) {
      const { code } = error;
      if (this.code) return;
      // The application's source of grants may succeed later: its errors have no code.
      if (code && !TEMPORARY.has(code)) {
        this.#end(code);
        return this.#disturb(error);
      }
      this.#timer = setTimeout(() => this.#renew(Math.min(pause * 2, MOST_PAUSE)), pause);
    }
  }

  #heed({ state, resumed }) {
    if (state == "closed") return this.#end(state);
    const isNew = state == "connected" && !resumed;
    if (!isNew || this.#registry.client.sessionId == this.#session) return;
    this.#session = this.#registry.client.sessionId;
    // A topic without a history may have lost messages with the session.
    if (!this.#at) this.#queue.push({ missing: "unknown" });
    this.#renew();
  }

  #end(code) {
    if (this.code) return;
    this.code = code;
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#unheed?.();
    this.#queue.end();
    this.#registry.remove(this, code == "closed");
  }
}

/** How long before its end a grant is renewed at the earliest, in milliseconds. */
const MOST_NOTICE = 60_000;
/** How long after an answer a grant is renewed at the earliest, however soon it expires. */
const LEAST_INTERVAL = 1_000;
/** The longest timer that all hosts have. */
const MOST_TIMER = 2 ** 31 - 1;
/** The pause before another attempt, in milliseconds; it doubles with each. */
const LEAST_PAUSE = 1_000;
const MOST_PAUSE = 30_000;
/** Failures after which the same request may succeed. */
const TEMPORARY = new Set(["unavailable", "timeout", "session-lost", "full"]);
/** Failures of this end, which change nothing at the server. */
const OWN = new Set(["timeout", "session-lost", "full", "closed", "aborted", "too-large"]);
