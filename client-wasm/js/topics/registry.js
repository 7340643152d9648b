// The subscriptions of one client, by name: each message is passed on to all that it concerns.

/** A client whose session other tabs have as well: see `SharedClient`. */
const SHARED = Symbol.for("bowline.shared");

export class Registry {
  #byName = new Map();
  /**
   * Names from which the client unsubscribes: what the server has sent before its answer is for
   * subscriptions that were dropped.
   */
  #leaving = [];
  /** Ends the listeners, which exist while there are subscriptions. */
  #unlisten;

  constructor(client) {
    this.client = client;
  }

  add(subscription) {
    const { topic } = subscription;
    if (!this.#byName.has(topic)) this.#byName.set(topic, new Set());
    this.#byName.get(topic).add(subscription);
    this.#unlisten ??= this.#listen();
  }

  /** Tells the server if that was the last subscription of its name, and nobody else has it. */
  remove(subscription, wasDropped) {
    const { topic } = subscription;
    const others = this.#byName.get(topic);
    if (!others?.delete(subscription) || others.size) return;
    this.#byName.delete(topic);
    if (!this.#byName.size) {
      this.#unlisten();
      this.#unlisten = undefined;
    }
    if (!wasDropped || this.client[SHARED] || this.client.status.state == "closed") return;
    // Without an answer the session has ended, and the subscription with it.
    const left = () => this.#leaving.splice(this.#leaving.indexOf(topic), 1);
    this.#leaving.push(topic);
    this.client.request("bowline.unsubscribe", { topic }).then(left, left);
  }

  /** The grant of this name may have ended: its subscriptions ask again. */
  renew(topic) {
    for (const subscription of this.#of(topic)) subscription.renew();
  }

  #listen() {
    const unlisten = [
      this.client.on("bowline.topic", (event, bytes) => this.#receive(event, bytes)),
      this.client.on("bowline.topic-ended", ({ topic, code }) => {
        for (const subscription of this.#of(topic)) subscription.ended(code);
      }),
    ];
    return () => unlisten.forEach((end) => end());
  }

  /** Stored messages go to their topic, and copies of them to patterns; others to both. */
  #receive({ at, copy, payload: { topic, name, payload = null } }, bytes) {
    const message = { topic, name, payload };
    if (at) message.at = at;
    if (bytes) message.bytes = bytes;
    if (!copy && !this.#leaving.includes(topic))
      for (const subscription of this.#of(topic)) subscription.receive(message, at);
    if (at && !copy) return;
    for (const pattern of this.#byName.keys()) {
      if (pattern == topic || !matches(pattern, topic)) continue;
      for (const subscription of this.#of(pattern)) subscription.receive(message);
    }
  }

  /** A copy of the list: a listener may end its subscription. */
  #of(name) {
    return [...(this.#byName.get(name) ?? [])];
  }
}

/** True if the pattern stands for the topic. */
export const matches = (pattern, topic) => {
  const parts = topic.split("/");
  const segments = pattern.split("/");
  const rest = segments.at(-1) == "**" ? segments.length - 1 : -1;
  if (rest < 0 ? segments.length != parts.length : parts.length <= rest) return false;
  return segments.every((segment, index) => WILD.has(segment) || segment == parts[index]);
};

const WILD = new Set(["*", "**"]);
