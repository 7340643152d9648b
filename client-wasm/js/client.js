// The class that applications use. It passes the application's calls and the network's input to the
// engine, and performs the engine's outputs.

import * as acts from "./acts.js";
import { now } from "./clock.js";
import * as desk from "./desk.js";
import * as engine from "./engine.js";
import { codeOf, why } from "./causes.js";
import { Diagnostics } from "./diagnostics.js";
import { BowlineError } from "./error.js";
import { host } from "./host.js";
import * as kinds from "./kinds.js";
import { Network } from "./network.js";
import { watchPage } from "./page.js";
import { json, packet } from "./payload.js";
import { Queue } from "./queue.js";
import { until } from "./until.js";
import { recall, remember } from "./verdict.js";
import { numberOf, waiting } from "./waiting.js";
import { carries, line, parsed, sizeOf, unpack } from "./wire.js";
import {
  NOWHERE,
  TRANSPORTS,
  digits,
  fail,
  guarded,
  isName,
  known,
  report,
  resolved,
} from "./words.js";

/** Findings after which the engine may have a new verdict. */
const SERVES = 3;
const LEFT_ALONE = 5;

/** A request without an answer. If it was not sent, it never will be. */
const unanswered = (code, message, sent) => {
  const error = new BowlineError(
    code,
    message &&
      message +
        (sent ? "; the server may have handled the request" : "; the request was never sent"),
  );
  error.sent = !!sent;
  return error;
};

const LATE = "no answer came in time";

const released = new FinalizationRegistry(engine.release);

export class Client {
  /** Calls the engine; until the engine is loaded, calls are recorded. */
  #call;
  /** True once the engine, or the group of tabs, can be asked for outputs. */
  #ready;
  /** Why the client could not continue. */
  #broken;
  #network;
  #options;
  /** Stores the session, if the application wants that. */
  #keeper;
  #status = { state: "idle" };
  #watchers = new Set();
  #listeners = new Map();
  /** The server requests a new authentication before the old one expires. */
  #handlers = new Map([["bowline.auth", () => this.#auth()]]);
  /** Requests by their ids. */
  #pending = new Map();
  #pings = [];
  /** Called when the client ends. */
  #closers = new Set();
  /** The size of the largest packet that the server accepts, once it has stated it. */
  #limit = Infinity;
  #timer;
  #timerAt = Infinity;
  #soon = false;
  /** How far the numbers of packets have moved since they were stored. */
  #moved = 0;
  /** The act that sends an event: another one during a set-up. */
  #emits = acts.EMIT;
  /** The prefix of the names of requests made while a handler is called. */
  #within = "";
  /** The current set-up, or the last one. */
  #run;

  // The last line that the engine has read, and the bytes beside it.
  #line = "";
  #raw;

  #sessionId;
  #rtt;
  #lastFailure;
  #url;
  /** True with several transports; with one, storage is not worth the milliseconds it takes. */
  #learns;
  #diagnostics;

  constructor(url, options) {
    options = known(options, OPTIONS);
    url = resolved(url);
    if (url.username || url.password)
      fail(
        "invalid-option",
        "credentials in a URL end up in logs: send them with auth or a header",
      );
    url.protocol = url.protocol.replace("ws", "http");
    if (!/^https?:/.test(url.protocol) || url.search || url.hash) {
      fail(
        "invalid-option",
        "the URL is that of a mount point: http or https, without query and fragment",
      );
    }
    const transports = digits(options.transports || TRANSPORTS.slice(1));
    const whenLost = ["reopen", "stop"].indexOf(options.onSessionLost ?? "reopen");
    if (whenLost < 0) fail("invalid-option", "onSessionLost is reopen or stop");
    this.#options = options;
    url = this.#url = url.href.replace(/\/$/, "");
    this.#diagnostics = new Diagnostics(url);
    this.#network = new Network(url, {
      lines: (text) => this.#lines(text),
      message: (text, bytes) => {
        const at = now();
        this.#take(at, text, bytes);
        this.#pump(at);
      },
      sent: () => {
        this.#call(acts.SENT);
        this.#wake();
      },
      answered: (polled, empty) => {
        if (polled) this.#call(acts.POLLED, empty, now());
        else this.#call(acts.POSTED, now());
        this.#pump();
      },
      ended: (words, ...more) => {
        this.#call(acts.ENDED, words, now(), ...more);
        this.#wake();
      },
      tried: (words, ...more) => {
        this.#call(acts.TRIED, words, now(), ...more);
        this.#wake();
      },
    }, options.headers);
    if (options.headers && !host.takes?.(options.headers))
      fail("invalid-option", "no browser sends headers with a WebSocket: use auth or cookies");
    if (!transports) fail("invalid-option", "the list of transports is empty");
    const words = [
      transports,
      options.connectTimeout ?? 5e3,
      options.outboxLimit ?? 8 << 20,
      whenLost,
      options.trialInterval ?? 6e4,
      (this.#learns = transports > 3 && globalThis.document) ? recall(url) : 0,
      options.onSession ? (options.setupTimeout ?? 2e4) : 0,
      now(),
      // Distinguishes this client from a copy of its stored state.
      desk.random() * 2 ** 21 + (desk.random() >>> 11),
    ];
    // A group of tabs replaces the engine.
    const perform = (...output) => this.#perform(...output);
    this.#call = this.#ready = options.share?.(SHARED, url, words, now, perform);
    this.#load(words);
    if (!options.store) return;
    this.#keeper = options.store.load(
      (...packet) => this.#call(acts.KEEP, ...packet),
      (from, sent, ...state) => {
        this.#call(acts.RESTORE, ...state);
        this.#call(acts.CLAIM, from, sent);
      },
      (held) => this.#call(acts.HOLD, held),
      words.at(-1),
    );
    if (!this.#keeper) fail("invalid-option", "another client has this store");
  }

  connect() {
    return new Promise((resolve, reject) => {
      const { connectDeadline } = this.#options;
      const timer = connectDeadline <= LONGEST && setTimeout(() => {
        unwatch();
        reject(
          new BowlineError(
            "connect-deadline",
            `not connected in ${connectDeadline} ms` +
              (this.#lastFailure ? ", last met: " + this.#lastFailure : ""),
          ),
        );
      }, connectDeadline);
      const unwatch = this.onStatus(({ state, code, reason }) => {
        const closed = state == "closed";
        if (!closed && state != "connected") return;
        clearTimeout(timer);
        queueMicrotask(() => unwatch());
        closed ? reject(this.#closed(code, reason)) : resolve();
      });
      if (this.#status.state != "idle") return;
      if (this.#isNowhere)
        return this.#giveUp(
          0,
          new BowlineError("invalid-option", "without a page the URL has to say the host"),
        );
      this.#watchPage();
      if (!this.#ready) this.#connecting(this.#options.transports?.[0] ?? "websocket");
      this.#call(acts.START, now());
      this.#pump();
    });
  }

  close() {
    const isIdle = this.#status.state == "idle";
    // The next client of the page can use it at once; a session that was never needed remains
    // stored.
    this.#keeper?.end(isIdle);
    if (!this.#ready && isIdle) this.#giveUp(1000);
    this.#call(acts.CLOSE, now());
    this.#wake();
    return new Promise((resolve) =>
      this.#status.state == "closed" ? resolve() : this.#closers.add(resolve),
    );
  }

  emit(name, payload, bytes) {
    this.#emit("e ", name, payload, bytes, 0);
  }

  emitVolatile(name, payload, bytes) {
    const [packet, size] = this.#pack("v ", name, payload, bytes);
    this.#wake();
    return !!this.#call(acts.EMIT_VOLATILE, packet, size);
  }

  request(name, payload, options) {
    return new Promise((resolve, reject) => {
      let { timeout, signal, bytes } = known(options, " timeout signal bytes ");
      const give = (code, message) => {
        const unsent = this.#call(acts.FORGET, entry.id);
        this.#moved ||= unsent;
        this.#pending.delete(entry.id);
        entry.settled();
        reject(unanswered(code, message, !unsent));
        this.#wake();
      };
      const aborted = () => give("aborted");
      const entry = { resolve, reject };
      if (signal?.aborted) return reject(unanswered("aborted"));
      timeout ??= this.#options.requestTimeout ?? 2e4;
      entry.id = this.#emit(
        "q ",
        isName(this.#within + name) ? this.#within + name : name,
        payload,
        bytes,
        now() + timeout,
      );
      // Once loaded, the engine handles the timeout.
      const timer =
        this.#ready || timeout > LONGEST
          ? 0
          : setTimeout(() => this.#ready || give("timeout", LATE), timeout);
      const spared = until(signal, aborted);
      entry.settled = () => {
        clearTimeout(timer);
        spared();
      };
      this.#pending.set(entry.id, entry);
    });
  }

  on(name, listener, options) {
    const { signal, once } = known(options, " signal once ");
    const listeners = this.#listeners.get(name) || new Set();
    const off = () => {
      spared();
      listeners.delete(heard);
      if (!listeners.size && this.#listeners.get(name) == listeners) this.#listeners.delete(name);
    };
    const heard = (...words) => {
      if (once) off();
      listener(...words);
    };
    const spared = until(signal, off);
    if (signal?.aborted) return off;
    listeners.add(heard);
    this.#listeners.set(name, listeners);
    return off;
  }

  async once(name, options) {
    for await (const { payload } of this.events(name, options)) return payload;
    throw options?.signal?.aborted ? new BowlineError("aborted") : this.#closed();
  }

  events(name, options) {
    const { signal } = known(options, SIGNAL);
    const queue = new Queue();
    const off = this.on(name, (payload, bytes) => queue.push({ payload, bytes }));
    const end = () => {
      spared();
      off();
      this.#closers.delete(end);
      queue.end();
    };
    const spared = until(signal, end);
    this.#closers.add(end);
    if (signal?.aborted || this.#status.state == "closed") end();
    return queue.iterator(end);
  }

  handle(name, handler) {
    this.#handlers.set(name, handler);
    return () => this.#handlers.get(name) == handler && this.#handlers.delete(name);
  }

  onStatus(listener, options) {
    const { signal } = known(options, SIGNAL);
    const heard = (status) => guarded(listener, status);
    const off = () => {
      spared();
      this.#watchers.delete(heard);
    };
    const spared = until(signal, off);
    if (signal?.aborted) return off;
    this.#watchers.add(heard);
    heard(this.#status);
    return off;
  }

  get status() {
    return this.#status;
  }

  get transport() {
    return this.#status.state == "connected" ? this.#status.transport : undefined;
  }

  get sessionId() {
    return this.#sessionId;
  }

  get rtt() {
    return this.#rtt;
  }

  /**
   * The transports that were tried, the result of each attempt, and why the present transport
   * serves.
   */
  diagnostics() {
    return this.#diagnostics.report(this.transport);
  }

  get lastFailure() {
    return this.#lastFailure;
  }

  get stats() {
    this.#call(acts.STATS);
    const [reconnects, resumes, sessionsLost, transportSwitches, droppedVolatile, inFlight] =
      desk.takeNumbers();
    return { reconnects, resumes, sessionsLost, transportSwitches, droppedVolatile, inFlight };
  }

  ping() {
    this.#call(acts.MEASURE);
    this.#wake();
    return new Promise((resolve, reject) => {
      if (this.#status.state == "closed") return reject(this.#closed());
      this.#pings.push({ resolve, reject });
    });
  }

  wake() {
    this.#call(acts.WAKE, now());
    this.#wake();
  }

  switchTransport(transport) {
    this.#call(acts.SWITCH_TO, digits([transport]), now());
    this.#wake();
  }

  // Loading the engine.

  get #isNowhere() {
    return this.#url.startsWith(NOWHERE);
  }

  /** Loads the engine in the background; calls are recorded in the meantime. */
  #load(words) {
    const calls = [];
    this.#call ||= waiting(calls, words[2]);
    if (this.#isNowhere) return;
    engine.load().then(
      () => this.#ready || this.#status.state == "closed" || this.#begin(words, calls),
      (error) =>
        this.#giveUp(
          0,
          new BowlineError("load-failed", "bowline.wasm could not be loaded: " + error),
        ),
    );
  }

  /** Passes the recorded calls to the engine. */
  #begin(words, calls) {
    const id = engine.create(...words);
    released.register(this, id);
    this.#ready = this.#call = (what, a, b, c, d) => engine.act(id, what, a, b, c, d);
    calls.forEach(([what, ...words], index) => {
      const id = this.#call(what, ...words);
      if (what != acts.EMIT) return;
      this.#renumber(numberOf(index), id);
      this.#keeper?.put(line(words[0]));
    });
    this.#pump();
  }

  /** Ends the client without the engine: it cannot be loaded, or was not needed. */
  #giveUp(code, failure) {
    if (this.#status.state == "closed") return;
    this.#broken = failure;
    this.#call(acts.CLOSE, now());
    for (const number of this.#pending.keys()) this.#answered(number, () => {
      throw this.#closed(code);
    });
    this.#stand({ state: "closed", code, reason: failure?.message });
    this.#end();
  }

  // Calls of the application.

  #pack(kind, name, payload, bytes) {
    if (!isName(name))
      fail("invalid-name", "a name is 1 to 128 bytes without spaces and control characters");
    return this.#measured(packet(kind + name, payload, bytes));
  }

  /** The packet and its size, which is exact near the limit. */
  #measured(packet) {
    const size = sizeOf(packet, packet.length * 3 > this.#limit);
    if (size > this.#limit)
      fail("too-large", `the server takes packets of ${this.#limit} bytes at most`);
    return [packet, size];
  }

  #emit(kind, name, payload, bytes, deadline) {
    const [packet, size] = this.#pack(kind, name, payload, bytes);
    const id = this.#call(this.#emits, packet, size, deadline, now());
    if (id == acts.FULL)
      fail("full", "the outbox limit is reached: wait until the server has caught up");
    if (id < 0) throw this.#closed();
    if (this.#ready) this.#store(packet, this.#emits == acts.EMIT);
    this.#wake();
    return id;
  }

  /** Stores a packet behind the last one, or later, when held packets have moved behind it. */
  #store(packet, isLast) {
    if (isLast) this.#keeper?.put(line(packet));
    else this.#moved = 1;
  }

  #closed(code = this.#status.code, reason = this.#status.reason) {
    if (this.#broken) return this.#broken;
    const said = typeof reason == "string" ? ` (${reason})` : "";
    const error = new BowlineError(
      "closed",
      "the client is closed" + (code ? ": " + code + said : ""),
      reason,
    );
    error.closeCode = code;
    return error;
  }

  // Input from the network.

  #lines(text) {
    const lines = text.split("\n");
    if (!lines.at(-1)) lines.pop();
    const at = now();
    lines.every((text) => this.#take(at, text));
    this.#pump(at);
  }

  #take(at, text, raw) {
    this.#line = text;
    this.#raw = raw;
    // An empty line is malformed: the engine sends the server the error.
    const line = carries(text, raw) ? text : "";
    const more = this.#call(acts.LINE, line, text.length + (raw?.length ?? 0), at, text, raw);
    for (let kind; (kind = this.#call(acts.EVENT, at)); ) this.#does(kind);
    return more;
  }

  /** Performs an output of another tab's engine, or without a kind asks the own engine. */
  #perform(kind, words, values, text, raw) {
    if (!kind) return this.#pump();
    [this.#line, this.#raw] = [text, raw];
    desk.numbers(...words);
    values.forEach(desk.part);
    this.#does(kind);
  }

  // Outputs of the engine.

  /** Sends all packets of one turn in one batch. */
  #wake() {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(time = now()) {
    if (!this.#ready) return;
    // It may be large.
    this.#line = "";
    this.#raw = undefined;
    // The loop below handles outputs that calls cause in the meantime.
    this.#soon = true;
    try {
      for (let kind; (kind = this.#call(acts.OUTPUT, time)); ) this.#does(kind);
    } finally {
      this.#soon = false;
    }
    const at = desk.takeNumbers()[0] || Infinity;
    this.#keep();
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#call(acts.TIMEOUT, now());
      this.#pump();
    }, Math.min(at - now(), LONGEST));
  }

  /** Stores the changes. */
  #keep() {
    if (!this.#keeper) return;
    this.#call(acts.POSITION);
    this.#keeper.sync(...desk.takeNumbers());
    if (this.#moved) this.#keeper.renew(this.#kept());
    this.#moved = 0;
  }

  /** The batch to send; its packets are stored first. */
  #sending() {
    const parts = desk.takeParts();
    this.#keep();
    return parts;
  }

  #does(kind) {
    Client.#deeds[kind](this, desk.takeNumbers());
  }

  /** The handler of each kind of output: a function of the client and the numbers. */
  static #deeds = {
    [kinds.OPEN]: (client) => client.#network.open(),
    [kinds.DROP]: (client) => client.#network.drop(),
    [kinds.INTRODUCE]: (client) => client.#introduce(),
    [kinds.SOCKET]: (client) => client.#network.socket(client.#sending()),
    [kinds.STREAM]: (client) => client.#network.stream(client.#sending()),
    [kinds.POLL]: (client) => client.#network.poll(client.#sending()),
    [kinds.POST]: (client) => client.#network.post(client.#sending()),
    [kinds.EVENT]: (client, words) => client.#heard(words[0]),
    [kinds.REQUEST]: (client, words) => client.#asked(...words),
    [kinds.REPLY]: (client, words) => client.#answered(words[1], () => client.#reply(words[0])),
    [kinds.FAILURE]: (client, words) =>
      client.#answered(words[1], () => {
        const text = client.#line;
        const code = client.#word(text.indexOf(" ", 2) + 1, words[0]);
        const [payload, bytes] = client.#unpack(words[0]);
        fail(
          code,
          "the server answered with " + code + (typeof payload == "string" ? ": " + payload : ""),
          payload,
          bytes,
        );
      }),
    [kinds.TIMED_OUT]: (client, words) => client.#unanswered("timeout", LATE, ...words),
    [kinds.LOST]: (client, words) =>
      client.#unanswered("session-lost", "the session ended first", ...words),
    [kinds.MEASURED]: (client, [rtt]) => {
      client.#rtt = rtt;
      client.#pings.splice(0).forEach(({ resolve }) => resolve(rtt));
    },
    [kinds.CONNECTING]: (client, [transport, code]) => {
      client.#failed(desk.takeParts(), code);
      client.#connecting(TRANSPORTS[transport]);
    },
    [kinds.CONNECTED]: (client, [transport, resumed]) => {
      client.#welcomed();
      client.#stand({ state: "connected", transport: TRANSPORTS[transport], resumed: !!resumed });
    },
    [kinds.WAITING]: (client, [retryIn, code]) => {
      client.#failed(desk.takeParts(), code);
      client.#stand({ state: "waiting", retryIn });
    },
    [kinds.SESSION_LOST]: (client, [code, confirmed, unknown]) =>
      client.#stand({ state: "session-lost", code, confirmed, unknown }),
    [kinds.CLOSED]: (client, [code, cause]) => {
      const [reason, words] = desk.takeParts();
      if (cause) {
        client.#failed([words], cause);
        client.#broken = new BowlineError(codeOf(cause), client.#lastFailure);
        client.#broken.closeCode = code;
      }
      client.#stand({ state: "closed", code, reason: cause ? codeOf(cause) : parsed(reason) });
    },
    [kinds.OVER]: (client) => client.#end(),
    [kinds.NOTED]: (client, [what, time, code]) => {
      client.#noted(TRANSPORTS[what % 4], what >> 2, time, why(desk.takeParts()[0], code), code);
    },
    [kinds.ASIDE]: (client) => client.#network.stepAside(),
    [kinds.ADOPT]: (client) => client.#network.adopt(),
    [kinds.TRIAL]: (client, [transport]) => client.#network.tryOut(transport),
    [kinds.SET_UP]: (client, [begin]) => client.#setUp(begin),
  };

  /** The last line may be a welcome. */
  #welcomed() {
    const [, id] = / sid=(\S+)/.exec(this.#line) || [];
    if (!id) return;
    this.#sessionId = id;
    this.#limit = this.#call(acts.LIMIT);
    this.#network.limit = Math.max(this.#network.limit, 2 * this.#limit);
    this.#keeper?.open(this.#line, this.#kept());
  }

  /** Lets the application set the session up; its packets in the set-up go first. */
  async #setUp(begin) {
    const run = (this.#run = {});
    if (!begin) return;
    this.#welcomed();
    const ahead = (what) => (...words) => {
      if (run != this.#run) fail("session-lost", "the session that this was to set up is gone");
      this.#emits = acts.EMIT_AHEAD;
      try {
        return this[what](...words);
      } finally {
        this.#emits = acts.EMIT;
      }
    };
    let why = "";
    try {
      await this.#options.onSession({ emit: ahead("emit"), request: ahead("request") });
    } catch (error) {
      why = "the session could not be set up: " + error;
    }
    if (run != this.#run) return;
    this.#call(acts.SET_UP, why, now());
    this.#wake();
  }

  #auth() {
    const { auth } = this.#options;
    return typeof auth == "function" ? auth() : auth;
  }

  async #introduce() {
    let words;
    let failed = false;
    try {
      words = json(await this.#auth()) ?? "";
    } catch (error) {
      failed = true;
      words = "no authentication: " + error;
    }
    this.#call(acts.INTRODUCE, words, failed, now());
    this.#wake();
  }

  #unpack(at) {
    return unpack(this.#line, at, this.#raw);
  }

  /** The field between the type (and number) and the payload. */
  #word(from, at) {
    return this.#line.slice(from, at ? at - 1 : undefined);
  }

  #heard(at) {
    const listeners = this.#listeners.get(this.#word(2, at));
    if (!listeners) return;
    guarded(() => {
      const [payload, raw] = this.#unpack(at);
      for (const listener of listeners) guarded(listener, payload, raw);
    });
  }

  async #asked(at, number, epoch) {
    const handler = this.#handlers.get(this.#word(2, at));
    let packet;
    try {
      if (!handler) throw new BowlineError("no-handler");
      const [payload, raw] = this.#unpack(at);
      this.#within = "bowline.within." + number + ".";
      let answer = handler(payload, raw);
      this.#within = "";
      // A result that is there already is sent with the handler's other packets.
      if (answer?.then) answer = await answer;
      packet = this.#answer("r " + number, answer);
    } catch (error) {
      this.#within = "";
      packet = this.#failure("f " + number + " ", error);
    }
    const answer = this.#call(acts.REPLY, ...packet, epoch, now());
    if (answer) this.#store(packet[0], this.#status.state == "connected");
    this.#wake();
  }

  /** Errors that are not meant for the server stay secret. */
  #failure(head, error) {
    const { code, payload, bytes } =
      error instanceof BowlineError && isName(error.code) ? error : {};
    if (!code) report(error);
    return (
      guarded(() => this.#answer(head + (code || "internal"), payload, bytes)) ??
      this.#answer(head + "internal")
    );
  }

  #answer(head, payload, bytes) {
    return this.#measured(packet(head, payload, bytes));
  }

  /** Ends a request: `read` returns the reply, or throws the error. */
  #answered(number, read) {
    const entry = this.#pending.get(number);
    if (!entry) return;
    this.#pending.delete(number);
    entry.settled();
    try {
      entry.resolve(read());
    } catch (error) {
      entry.reject(error);
    }
  }

  #unanswered(code, message, sent, id) {
    if (!sent) this.#moved = 1;
    this.#answered(id, () => {
      throw unanswered(code, message, sent);
    });
  }

  /** The lines that the server has not confirmed. */
  #kept() {
    this.#call(acts.KEPT);
    return desk.takeParts().map(line);
  }

  #reply(at) {
    const [payload, bytes, json] = this.#unpack(at);
    return !bytes ? payload : json ? { payload, bytes } : bytes;
  }

  /** A request that was made before the engine was loaded. */
  #renumber(before, id) {
    const entry = this.#pending.get(before);
    if (!entry) return;
    this.#pending.delete(before);
    entry.id = id;
    this.#pending.set(id, entry);
  }

  #noted(transport, finding, ...met) {
    this.#diagnostics.add(transport, finding, ...met);
    if (this.#learns && (finding == SERVES || finding == LEFT_ALONE))
      remember(this.#url, this.#call(acts.VERDICT, now()));
  }

  #failed([words], code) {
    this.#lastFailure = why(words, code) || this.#lastFailure;
  }

  #connecting(transport) {
    const { state, transport: present } = this.#status;
    if (state != "connecting" || transport != present)
      this.#stand({ state: "connecting", transport });
  }

  #stand(status) {
    this.#status = status;
    for (const watcher of this.#watchers) watcher(status);
  }

  #end() {
    // A later page may succeed with the session.
    this.#keeper?.end(this.#broken);
    this.#pings.splice(0).forEach(({ reject }) => reject(this.#closed()));
    for (const closer of this.#closers) closer();
    this.#closers.clear();
  }

  #watchPage() {
    const gone = new AbortController();
    this.#closers.add(() => gone.abort());
    const act = (what) => {
      this.#call(what, now());
      this.#pump();
    };
    watchPage(gone.signal, {
      wake: () => act(acts.WAKE),
      // A page that may come back keeps its session; any other closes it.
      sleep: (mayComeBack, leaving) => {
        if (leaving) this.#network.leaving = true;
        act(mayComeBack || this.#keeper ? acts.SUSPEND : acts.CLOSE);
      },
      stay: () => (this.#network.leaving = false),
    });
  }
}

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
/** Names between spaces. */
const SIGNAL = " signal ";
const OPTIONS =
  " auth connectDeadline connectTimeout headers onSession onSessionLost outboxLimit" +
  " requestTimeout setupTimeout share store transports trialInterval ";
/** The longest time that timers accept; the engine then asks for another one. */
const LONGEST = 2 ** 31 - 1;
