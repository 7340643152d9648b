// Namespaces: parts of a session with their own authentication, rooms and handlers. Needs nothing
// of a client but what is public, so that pages without namespaces do not load it.
//
// Spec: 13-namespaces.

/** The namespaces that each client has joined, by name. */
const joined = new WeakMap();

/** A handle of a namespace, which `join` joins. */
export const namespace = (client, name) => new Namespace(client, name);

/** Joins again in the set-up of a new session, before what is queued: for `onSession`. */
export const rejoin = async (client, setup) => {
  for (const one of [...(joined.get(client)?.values() ?? [])]) await one.joinIn(setup);
};

class Namespace {
  #client;
  #auth;
  /** The session that has joined, or is about to. */
  #session;
  #unlisten;
  #end;
  /** Why it has ended. */
  end;

  constructor(client, name) {
    this.#client = client;
    this.name = name;
  }

  get isJoined() {
    return !!this.#unlisten;
  }

  /** Resolves with why the membership has ended. */
  ended = new Promise((resolve) => (this.#end = resolve));

  /** Joins. In a new session it joins again by itself. */
  async join(auth) {
    this.#auth = auth;
    this.end = undefined;
    if (!this.#unlisten) {
      this.ended = new Promise((resolve) => (this.#end = resolve));
      this.#listen();
    }
    try {
      await this.#ask(this.#client);
    } catch (error) {
      // The server may still let in a client that does not wait any more.
      if (error.sent) this.#send().catch(() => {});
      this.#finish(error.code, error.payload);
      throw error;
    }
  }

  /** Leaves. */
  leave() {
    this.#finish("left");
    return this.#send();
  }

  emit(name, ...rest) {
    this.#client.emit(this.#own(name), ...rest);
  }

  emitVolatile(name, ...rest) {
    return this.#client.emitVolatile(this.#own(name), ...rest);
  }

  request(name, ...rest) {
    return this.#client.request(this.#own(name), ...rest);
  }

  on(name, ...rest) {
    return this.#client.on(this.#own(name), ...rest);
  }

  handle(name, handler) {
    return this.#client.handle(this.#own(name), handler);
  }

  /** A refusal ends this namespace, not the set-up of the session. */
  async joinIn(setup) {
    try {
      await this.#ask(setup);
    } catch (error) {
      if (TEMPORARY.has(error.code)) throw error;
      this.#finish(error.code, error.payload);
    }
  }

  #own(name) {
    return `${this.name},${name}`;
  }

  async #ask(sender) {
    this.#session = this.#client.sessionId;
    const auth = typeof this.#auth == "function" ? await this.#auth() : this.#auth;
    await sender.request("bowline.join", { namespace: this.name, auth });
    this.#session = this.#client.sessionId;
  }

  #send() {
    return this.#client.request("bowline.leave", { namespace: this.name });
  }

  #listen() {
    const client = this.#client;
    if (!joined.has(client)) joined.set(client, new Map());
    joined.get(client).set(this.name, this);
    const unlisten = [
      client.on("bowline.left", ({ namespace, code, reason }) => {
        if (namespace == this.name) this.#finish(code, reason);
      }),
      client.onStatus(({ state, resumed }) => {
        if (state == "closed") return this.#finish(state);
        const isNew = state == "connected" && !resumed && client.sessionId != this.#session;
        if (isNew && this.#session) this.#again();
      }),
    ];
    this.#unlisten = () => unlisten.forEach((end) => end());
  }

  /** Joins in a new session that was not set up with `rejoin`. */
  async #again(pause = LEAST_PAUSE) {
    try {
      await this.joinIn(this.#client);
    } catch {
      if (this.#unlisten) setTimeout(() => this.#again(Math.min(pause * 2, MOST_PAUSE)), pause);
    }
  }

  #finish(code, reason) {
    if (!this.#unlisten) return;
    this.#unlisten();
    this.#unlisten = undefined;
    joined.get(this.#client).delete(this.name);
    this.end = { code, reason };
    this.#end(this.end);
  }
}

/** The pause before another attempt, in milliseconds; it doubles with each. */
const LEAST_PAUSE = 1_000;
const MOST_PAUSE = 30_000;
/** Failures after which the same request may succeed. */
const TEMPORARY = new Set(["timeout", "session-lost", "full"]);
