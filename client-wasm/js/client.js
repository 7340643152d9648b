// The class that applications use. It passes the application's calls and the network's input to the
// engine, and performs the engine's outputs. Its parts, in the folder `client`, are functions of
// the state that this class holds: bundlers shorten the names of that, and not those of methods.

import * as acts from "./acts.js";
import { now } from "./clock.js";
import { checkedOptions, engineWords, mountPoint } from "./client/options.js";
import { events, on, onStatus } from "./client/events.js";
import { close, connect, load } from "./client/lifecycle.js";
import { emit, pack } from "./client/outgoing.js";
import { perform, pump, reports, wake } from "./client/outputs.js";
import { request } from "./client/requests.js";
import { auth } from "./client/session.js";
import { closedError } from "./client/status.js";
import * as desk from "./desk.js";
import * as engine from "./engine.js";
import { BowlineError } from "./error.js";
import { Network } from "./network.js";
import { digits, fail } from "./words.js";

export class Client {
  #client;

  constructor(url, options) {
    const client = (this.#client = stateOf(mountPoint(url), checkedOptions(options)));
    const words = engineWords(client);
    const { share, store } = client._options;
    // A group of tabs replaces the engine.
    client._call = client._ready = share?.(SHARED, client._url, words, now, (...output) =>
      perform(client, ...output),
    );
    load(client, words);
    if (!store) return;
    client._keeper = store.load(
      (...packet) => client._call(acts.KEEP, ...packet),
      (from, sent, ...state) => {
        client._call(acts.RESTORE, ...state);
        client._call(acts.CLAIM, from, sent);
      },
      (held) => client._call(acts.HOLD, held),
      words.at(-1),
    );
    if (!client._keeper) fail("invalid-option", "another client has this store");
  }

  connect() {
    return connect(this.#client);
  }

  close() {
    return close(this.#client);
  }

  emit(name, payload, bytes) {
    emit(this.#client, name, payload, bytes);
  }

  emitVolatile(name, payload, bytes) {
    const packet = pack(this.#client, "v ", name, payload, bytes);
    this.#client._wake();
    return !!this.#client._call(acts.EMIT_VOLATILE, ...packet);
  }

  request(name, payload, options) {
    return request(this.#client, name, payload, options);
  }

  on(name, listener, options) {
    return on(this.#client, name, listener, options);
  }

  async once(name, options) {
    for await (const { payload } of this.events(name, options)) return payload;
    throw options?.signal?.aborted ? new BowlineError("aborted") : closedError(this.#client);
  }

  events(name, options) {
    return events(this.#client, name, options);
  }

  handle(name, handler) {
    const handlers = this.#client._handlers;
    handlers.set(name, handler);
    return () => handlers.get(name) == handler && handlers.delete(name);
  }

  onStatus(listener, options) {
    return onStatus(this.#client, listener, options);
  }

  get status() {
    return this.#client._status;
  }

  get transport() {
    const { state, transport } = this.status;
    return state == "connected" ? transport : undefined;
  }

  get sessionId() {
    return this.#client._sessionId;
  }

  get rtt() {
    return this.#client._rtt;
  }

  /**
   * The transports that were tried, the result of each attempt, and why the present transport
   * serves.
   */
  diagnostics() {
    const { _url: url, _found } = this.#client;
    return { url, transport: this.transport, found: [..._found] };
  }

  get lastFailure() {
    return this.#client._lastFailure;
  }

  get stats() {
    this.#client._call(acts.STATS);
    const [reconnects, resumes, sessionsLost, transportSwitches, droppedVolatile, inFlight] =
      desk.takeNumbers();
    return { reconnects, resumes, sessionsLost, transportSwitches, droppedVolatile, inFlight };
  }

  ping() {
    const client = this.#client;
    client._call(acts.MEASURE);
    client._wake();
    return new Promise((resolve, reject) => {
      if (client._status.state == "closed") return reject(closedError(client));
      client._pings.push({ resolve, reject });
    });
  }

  wake() {
    this.#client._call(acts.WAKE, now());
    this.#client._wake();
  }

  switchTransport(transport) {
    this.#client._call(acts.SWITCH_TO, digits([transport]), now());
    this.#client._wake();
  }
}

/**
 * The state of a client. Set later: `_call` calls the engine, and records calls until the engine is
 * loaded; `_ready` is set once the engine, or the group of tabs, can be asked for outputs;
 * `_broken` is why the client could not continue; `_keeper` stores the session, if the application
 * wants that; `_run` is the current set-up, or the last one.
 */
const stateOf = (url, options) => {
  const client = {
    _url: url,
    _options: options,
    /** The findings about the network, oldest first; 64 at most. */
    _found: [],
    _begin: Date.now(),
    _status: { state: "idle" },
    _watchers: new Set(),
    _listeners: new Map(),
    /** The server requests a new authentication before the old one expires. */
    _handlers: new Map([["bowline.auth", () => auth(client)]]),
    /** Requests by their ids. */
    _pending: new Map(),
    _pings: [],
    /** Called when the client ends. */
    _closers: new Set(),
    /** The size of the largest packet that the server accepts, once it has stated it. */
    _limit: Infinity,
    _timerAt: Infinity,
    /** The act that sends an event: another one during a set-up. */
    _emits: acts.EMIT,
    /** The prefix of the names of requests made while a handler is called. */
    _within: "",
    /** The last line that the engine has read, and the bytes beside it as `_raw`. */
    _line: "",
    _pump: () => pump(client),
    _wake: () => wake(client),
  };
  client._network = new Network(url, reports(client), options.headers);
  return client;
};

/**
 * The functions of the engine and its desk that a group of tabs calls: the others are not exported.
 */
const SHARED = {
  act: engine.act,
  create: engine.create,
  load: engine.load,
  release: engine.release,
  numbers: desk.numbers,
  part: desk.part,
  takeNumbers: desk.takeNumbers,
  takeParts: desk.takeParts,
};
