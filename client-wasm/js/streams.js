// Streams of items that the client opens. Needs nothing of a client but what is public, so that
// pages without streams do not load it.
//
// Spec: 12-streams.

import { Registry } from "./streams/registry.js";
import { itemsOf, totalOf } from "./streams/source.js";
import { SendWindow } from "./streams/window.js";

/** What each client has open. */
const registries = new WeakMap();

/** Opens a stream, and yields the server's items. */
export const stream = (client, name, payload, { send, ...options } = {}) => {
  if (!registries.has(client)) registries.set(client, new Registry(client));
  const opened = new ItemStream(registries.get(client), name, payload, checked(options));
  if (send) opened.pour(itemsOf(send, PART));
  return opened;
};

/** Opens a stream, sends a file or other bytes or values, and resolves with the server's result. */
export const upload = (client, name, source, { payload, onProgress, ...options } = {}) => {
  const opened = stream(client, name, payload, options);
  const total = totalOf(source);
  opened.pour(itemsOf(source, PART), (sent) => onProgress?.({ sent, total }));
  return opened.result;
};

class ItemStream {
  /** One that no other stream of the session has, nor one of another tab in it. */
  number = Math.floor(Math.random() * 2 ** 52) + 1;
  #registry;
  #window;
  #waiting = [];
  /** Calls of `next` that wait. */
  #asked = [];
  /** Items that the application has taken, and how many and which bytes were not reported. */
  #taken = 0;
  #reported = 0;
  #bytes = 0;
  #timer;
  /** The session in which the server has accepted the stream. */
  #session;
  #sender;
  /** Called when the sender may go on. */
  #onRoom = () => {};
  #isOver = false;
  #error;
  #settle;
  #unlisten;
  #iterator = {
    next: () => this.#next(),
    return: async (value) => {
      this.close();
      return { value, done: true };
    },
    [Symbol.asyncIterator]: () => this.#iterator,
  };

  constructor(registry, name, payload, { window = {}, signal, ...options }) {
    this.#registry = registry;
    this.#window = { items: ITEMS, bytes: BYTES, ...window };
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Whoever reads the items receives the error there.
    this.result.catch(() => {});
    const { client } = registry;
    const off = client.on("bowline.item." + this.number, (item, bytes) =>
      this.#receive(item, bytes),
    );
    const stop = () => this.#end(registry.error("aborted"), true);
    signal?.addEventListener("abort", stop);
    this.#unlisten = () => {
      off();
      signal?.removeEventListener("abort", stop);
    };
    registry.add(this);
    this.opened = this.#open(name, payload, options, signal);
  }

  [Symbol.asyncIterator]() {
    return this.#iterator;
  }

  /** Cancels the stream. */
  close() {
    this.#waiting = [];
    this.#end(this.#registry.error("aborted"), true);
  }

  /** Sends these items, each as soon as the server may receive it. */
  async pour(items, onProgress) {
    let sent = 0;
    try {
      await this.opened;
      for await (const item of items) {
        const size = sizeOf(item);
        if (!(await this.#room(size))) return;
        await this.#emit("item." + this.number, item);
        this.#sender.sent(size);
        onProgress?.((sent += size));
      }
      if (this.#takesItems()) await this.#emit("end", { stream: this.number });
    } catch (error) {
      // The source has failed, or an item cannot be sent.
      if (!this.#takesItems()) return;
      const failure = { code: "aborted" };
      this.#emit("end", { stream: this.number, failure });
      this.#end(error);
    }
  }

  /** The server has taken so many items. */
  credit(taken) {
    this.#sender?.taken(taken);
    this.#onRoom();
  }

  /** The server takes no more items. */
  refused() {
    this.#sender = undefined;
    this.#onRoom();
  }

  /** The server has ended the stream. */
  ended({ payload = null, failure }, bytes) {
    if (!failure) return this.#end(undefined, false, bytes && payload == null ? bytes : payload);
    this.#end(this.#registry.error(failure.code, undefined, failure.payload, bytes));
  }

  heed({ state, resumed }) {
    const { client } = this.#registry;
    if (state == "closed") return this.#end(this.#registry.error("closed", "the client is closed"));
    if (state != "connected" || resumed || !this.#session) return;
    if (client.sessionId != this.#session)
      this.#end(
        this.#registry.error("session-lost", "the session was lost: open the stream again"),
      );
  }

  async #open(name, payload, options, signal) {
    const { client } = this.#registry;
    // The class of the client's errors is known then.
    await null;
    if (signal?.aborted) return this.#end(this.#registry.error("aborted"));
    const asked = { stream: this.number, name, window: this.#window, payload };
    try {
      const { window } = await client.request("bowline.stream", asked, options);
      this.#session = client.sessionId;
      if (window) this.#sender = new SendWindow(window);
    } catch (error) {
      // The server may still accept what it has not answered.
      this.#end(error, error.sent);
    }
  }

  #receive(item, bytes) {
    if (this.#isOver) return;
    if (this.#waiting.length >= this.#window.items) {
      const why = "the server has sent more than the window allows";
      return this.#end(this.#registry.error("window-exceeded", why), true);
    }
    const value = bytes ? (item == null ? bytes : { payload: item, bytes }) : item;
    this.#waiting.push([value, bytes?.length ?? item?.length ?? 0]);
    this.#serve();
  }

  #next() {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Passes items to those who wait for them, and then the end. */
  #serve() {
    while (this.#asked.length && this.#waiting.length) {
      const [value, size] = this.#waiting.shift();
      this.#asked.shift().resolve({ value, done: false });
      this.#taken++;
      this.#bytes += size;
    }
    if (!this.#isOver) return this.#report();
    if (this.#waiting.length) return;
    for (const { resolve, reject } of this.#asked.splice(0)) {
      this.#error ? reject(this.#error) : resolve({ value: undefined, done: true });
      this.#error = undefined;
    }
  }

  /**
   * Lets the server send more: at once after a good part of the window, otherwise when nothing
   * waits for a while, because this end does not know how many bytes an item has.
   */
  #report() {
    const { items, bytes } = this.#window;
    const unreported = this.#taken - this.#reported;
    if (unreported * 4 >= items || this.#bytes * 12 >= bytes) return this.#credit();
    if (unreported && !this.#waiting.length)
      this.#timer ??= setTimeout(() => this.#credit(), QUIET);
  }

  #credit() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reported = this.#taken;
    this.#bytes = 0;
    this.#emit("credit", { stream: this.number, taken: this.#taken });
  }

  #takesItems() {
    return this.#sender && !this.#isOver;
  }

  /** Waits until an item of this size may be sent. False if no more items are taken. */
  async #room(size) {
    while (this.#takesItems()) {
      const { largest } = this.#sender;
      if (size > largest) {
        const why = `an item of this stream has ${largest} bytes at most: send it in parts`;
        throw this.#registry.error("item-too-large", why);
      }
      if (this.#sender.fits(size)) return true;
      await new Promise((resolve) => (this.#onRoom = resolve));
    }
    return false;
  }

  /** Sends an event, as soon as the outbox has room. */
  async #emit(name, value) {
    for (;;) {
      try {
        return this.#registry.client.emit("bowline." + name, value);
      } catch (error) {
        // A client that is closed has no streams.
        if (error.code == "closed") return;
        if (error.code != "full") throw error;
        await new Promise((resolve) => setTimeout(resolve, QUIET));
      }
    }
  }

  #end(error, cancels, value) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    clearTimeout(this.#timer);
    this.#unlisten();
    this.#registry.remove(this);
    if (cancels) this.#emit("cancel", { stream: this.number });
    this.#onRoom();
    error ? this.#settle.reject(error) : this.#settle.resolve(value);
    this.#serve();
  }
}

/** The size of an item as windows count it. */
const sizeOf = (item) => {
  if (ArrayBuffer.isView(item)) return item.byteLength;
  const json = JSON.stringify(item) ?? "null";
  return json == "null" ? 0 : encoder.encode(json).length;
};

const checked = (options) => {
  const other = Object.keys(options).find((name) => !OPTIONS.has(name));
  if (other) throw new TypeError("a stream has no option " + other);
  return options;
};

const OPTIONS = new Set(["signal", "bytes", "window", "timeout"]);
const encoder = new TextEncoder();
/** How much the server sends ahead, unless set. */
const ITEMS = 256;
const BYTES = 256 * 1024;
/** Bytes of one item of a file. */
const PART = 64 * 1024;
/** After how many milliseconds of silence this end reports what it has taken. */
const QUIET = 20;
