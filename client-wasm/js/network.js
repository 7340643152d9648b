// The browser's sockets and requests. They perform outputs and report the results; the engine
// interprets them.

import { NO_WEBSOCKET, OTHER } from "./causes.js";
import { host } from "./host.js";
import { encoder } from "./utf8.js";
import { line, split } from "./wire.js";

/**
 * One carrier after another. `report` has the methods `lines(text)`, `message(line, bytes)`,
 * `sent()`, `answered(polled, empty)`, `ended(words, cause, asked)`, and `tried(words, cause,
 * asked)` for a trial beside the carrier; without words the trial has succeeded. `cause` is an HTTP
 * status or the number of a cause, `asked` the milliseconds after which to retry.
 */
export class Network {
  /** The page is being unloaded: small requests have to outlive it. */
  leaving = false;
  /** The most units of a response or event: those of a batch. */
  limit = 1 << 21;
  #url;
  #report;
  /** Headers of the application. */
  #headers;
  /** Ends everything in progress on the carrier; its `socket` is the WebSocket, if it is one. */
  #carrier;
  /** The trial beside the carrier. */
  #trial;

  constructor(url, report, headers) {
    this.#url = url;
    this.#report = report;
    this.#headers = headers;
  }

  open() {
    this.#open((this.#carrier = new AbortController()));
  }

  /** Starts a trial of a transport beside the carrier; 0 ends the trial. */
  tryOut(transport) {
    this.#trial?.abort();
    this.#trial = transport ? new AbortController() : undefined;
    if (transport == 1) this.#open(this.#trial);
    if (transport == 2)
      this.#request(
        "/sse",
        [QUESTION],
        (response, signal) => this.#listen(response, signal),
        this.#trial,
      );
  }

  /** The WebSocket that is being opened continues as a trial. */
  stepAside() {
    this.#trial = this.#carrier;
    this.#carrier = undefined;
  }

  /** The WebSocket of the trial becomes the carrier. */
  adopt() {
    this.drop();
    this.#carrier = this.#trial;
    this.#trial = undefined;
  }

  async #open(carrier) {
    const { signal } = carrier;
    const headers = this.#headers;
    let socket, asked;
    try {
      const given = headers && (await host.headers(headers));
      asked = true;
      // Absent, forbidden by a policy of the page, or unable to send headers.
      socket = carrier.socket = host.socket(this.#url.replace("http", "ws") + "/ws", given);
    } catch (error) {
      const none = asked && (headers || !globalThis.WebSocket);
      return signal.aborted || this.#ended(carrier, "" + error, none && NO_WEBSOCKET);
    }
    if (signal.aborted) return socket.close();
    const report = this.#report;
    socket.binaryType = "arraybuffer";
    const on = (name, listener) => socket.addEventListener(name, listener, { signal });
    on("open", () => (carrier == this.#trial ? socket.send(QUESTION) : report.sent()));
    on("message", ({ data }) => {
      if (carrier == this.#trial) this.#heard(data);
      else if (data.at) report.lines(data);
      else report.message(...split(data));
    });
    // Not every runtime closes a socket that it could not open.
    on("error", ({ message }) => this.#ended(carrier, message || "the WebSocket failed"));
    on("close", ({ code }) =>
      this.#ended(
        carrier,
        code < 4000 ? "the WebSocket was closed with the code " + code : "x " + code,
      ),
    );
    signal.addEventListener("abort", () => socket.close());
  }

  #ended(carrier, ...words) {
    if (carrier != this.#trial) return this.#report.ended(...words);
    this.#trial = undefined;
    this.#report.tried(...words);
  }

  #heard(text) {
    this.#report.tried(text == ANSWER ? "" : "something else than the server answered");
  }

  /** Sends a batch: lines and packets. */
  socket(parts) {
    const { signal, socket } = this.#carrier;
    while (parts[0]) socket.send(parts[0].head ? parts.shift().message : texts(parts));
    this.#drain(socket, signal);
  }

  /** There is no event for a buffer that drains. */
  #drain(socket, signal) {
    if (signal.aborted) return;
    // Not every WebSocket implementation has this property.
    if (socket.bufferedAmount >= BUFFER) setTimeout(() => this.#drain(socket, signal), 5);
    else this.#report.sent();
  }

  /** Opens an SSE stream. */
  stream(parts) {
    this.#request("/sse", parts, (response, signal) => this.#listen(response, signal));
  }

  async #listen(response, signal) {
    if (!/event-stream/.test(response.headers.get("content-type"))) throw OTHER;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (signal.aborted) return;
      if (done) throw "the stream ended";
      const events = (rest + value).split("\n\n");
      this.#fits((rest = events.pop()));
      for (const event of events) {
        const data = event.split("\n").filter((field) => field.startsWith("data:"));
        const text = data.map((field) => field.slice(6)).join("\n");
        if (signal == this.#trial?.signal) this.#heard(text);
        else if (text) this.#report.lines(text);
        if (signal.aborted) return;
      }
    }
  }

  /** Reads `response.text()`, but no more than a batch of it. */
  async #text(response) {
    let text = "";
    if (!globalThis.TextDecoderStream) return response.text();
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part; reader && !(part = await reader.read()).done;) this.#fits((text += part.value));
    return text;
  }

  #fits(text) {
    if (text.length > this.limit) throw "the server's answer is larger than the batch limit";
  }

  poll(parts) {
    this.#exchange("/poll", parts, true);
  }

  post(parts) {
    this.#exchange("/post", parts, false);
  }

  drop() {
    this.#carrier?.abort();
    this.#carrier = undefined;
  }

  #exchange(route, parts, polled) {
    this.#request(route, parts, async (response, signal) => {
      const text = await this.#text(response);
      if (signal.aborted) return;
      // Firefox may treat a response that was cut off as complete. A compressed response has
      // another length.
      const length =
        response.headers.get("content-encoding") == "identity" &&
        response.headers.get("content-length");
      if (text.length < length && encoder.encode(text).length < length)
        throw "the answer was cut off";
      // Portals and proxies also respond with 200.
      if (/^[^A-Za-z]/.test(text)) throw OTHER;
      this.#report.lines(text);
      if (!signal.aborted) this.#report.answered(polled, !text);
    });
  }

  async #request(route, parts, read, carrier = (this.#carrier ||= new AbortController())) {
    const { signal } = carrier;
    const headers = this.#headers;
    let words;
    try {
      const body = parts.map(line).join("\n");
      const response = await fetch(this.#url + route, {
        method: "POST",
        body,
        // Browsers accept at most 64 KiB in such requests.
        keepalive: this.leaving && body.length < 2e4,
        credentials: "include",
        cache: "no-store",
        // The body, with its secrets, would be sent there. Browsers do not report the status of a
        // redirect.
        redirect: "manual",
        headers: headers && (await host.headers(headers)),
        signal,
      });
      if (response.ok) return await read(response, signal);
      const { status } = response;
      const after = response.headers.get("retry-after");
      const text = await this.#text(response);
      words = [
        text.startsWith("x ") ? text : "HTTP " + (status || "redirect"),
        status || 300,
        after * 1e3 || new Date(after) - Date.now(),
      ];
    } catch (error) {
      words =
        error == OTHER
          ? ["HTTP 200", OTHER]
          : signal.aborted || (await host.explain(error, this.#url));
    }
    if (!signal.aborted) this.#ended(carrier, ...words);
  }
}

/** The first line of a trial, and the answer to it. */
const QUESTION = "h trial";
const ANSWER = "a trial";
/** The bytes in a socket's buffer from which on the client waits: a packet of the largest size. */
const BUFFER = 1 << 20;

/** Joins the lines before the next packet with bytes to one message. */
const texts = (parts) => {
  const end = parts.findIndex((part) => part.head);
  return parts.splice(0, end < 0 ? parts.length : end).join("\n");
};
