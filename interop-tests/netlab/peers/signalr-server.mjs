// node signalr-server.mjs HOST PORT: as much of a SignalR hub as its client needs, for want of
// .NET.
//
// Negotiation, WebSockets, Server-Sent Events and long polling, the JSON protocol, and unless the
// row has a heartbeat the original's defaults: a ping each 15 s (keepAliveInterval), and a client
// that was silent for 30 s is gone (clientTimeoutInterval). Source: TransportProtocols.md and
// HubProtocol.md of dotnet/aspnetcore.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { event, GRACE, HEARTBEAT, load, PATIENCE, request, say, speak } from "./talk.mjs";

const { Server: WebSocketServer } = load("ws");
const [host, port] = process.argv.slice(2);
const END = "\x1e";
const PING = HEARTBEAT ?? 15_000;
const CLIENT_TIMEOUT = HEARTBEAT ? HEARTBEAT + GRACE : 30_000;

/** One connection of a client, whatever carries it. */
class Connection {
  id = randomUUID();
  /** Writes text to the client; null while nothing can. */
  write = null;
  /** What waits to be written. */
  waiting = [];
  isOpen = false;
  calls = new Map();
  heard = Date.now();
  ping = setInterval(() => {
    if (Date.now() - this.heard > CLIENT_TIMEOUT) this.end();
    else this.send({ type: 6 });
  }, PING);

  send(message) {
    this.text(JSON.stringify(message) + END);
  }

  text(text) {
    this.waiting.push(text);
    this.flush();
  }

  flush() {
    if (this.write === null || this.waiting.length === 0) return;
    this.write(this.waiting.splice(0).join(""));
  }

  take(text) {
    this.heard = Date.now();
    for (const line of text.split(END).filter(Boolean)) this.message(JSON.parse(line));
  }

  message(message) {
    if (!this.isOpen) {
      this.isOpen = true;
      this.text(`{}${END}`);
      opened(this);
    } else if (message.type === 1) {
      this.invoked(message);
    } else if (message.type === 3) {
      this.calls.get(message.invocationId)?.(message.result);
      this.calls.delete(message.invocationId);
    } else if (message.type === 7) {
      this.end();
    }
  }

  invoked({ target, arguments: [number], invocationId }) {
    say("arrived", { flow: target === "ask" ? "request-up" : "event-up", number });
    if (invocationId !== undefined) this.send({ type: 3, invocationId, result: number * 2 });
  }

  /** Asks the client; the promise has the answer. */
  ask(target, argument) {
    const invocationId = randomUUID();
    this.send({ type: 1, target, arguments: [argument], invocationId });
    return new Promise((resolve, fail) => {
      this.calls.set(invocationId, resolve);
      setTimeout(() => fail(new Error("no answer")), PATIENCE).unref();
    });
  }

  end() {
    clearInterval(this.ping);
    connections.delete(this.id);
    this.write = null;
    this.over?.();
  }
}

const connections = new Map();

/** The connection of the client that connected last. */
let latest;
function opened(connection) {
  const isFirst = latest === undefined;
  latest = connection;
  if (!isFirst) return;
  speak((number) => {
    event("event-down", number, () => latest.send({ type: 1, target: "event", arguments: [number] }));
    request("request-down", number, () => latest.ask("ask", number));
  });
}

const http = createServer((incoming, outgoing) => {
  const url = new URL(incoming.url, "http://any");
  outgoing.setHeader("Cache-Control", "no-store");
  if (url.pathname === "/hub/negotiate") return negotiate(outgoing);
  const connection = connections.get(url.searchParams.get("id"));
  if (connection === undefined) return outgoing.writeHead(404).end();
  if (incoming.method === "POST") return posted(connection, incoming, outgoing);
  if (incoming.method === "DELETE") {
    connection.end();
    return outgoing.writeHead(202).end();
  }
  if (incoming.headers.accept?.includes("text/event-stream")) return stream(connection, outgoing);
  return poll(connection, outgoing);
});

function negotiate(outgoing) {
  const connection = new Connection();
  connections.set(connection.id, connection);
  const formats = { transferFormats: ["Text"] };
  const availableTransports = ["WebSockets", "ServerSentEvents", "LongPolling"].map((transport) => ({
    transport,
    ...formats,
  }));
  outgoing.writeHead(200, { "Content-Type": "application/json" });
  outgoing.end(JSON.stringify({
    negotiateVersion: 1,
    connectionId: connection.id,
    connectionToken: connection.id,
    availableTransports,
  }));
}

async function posted(connection, incoming, outgoing) {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  connection.take(Buffer.concat(chunks).toString());
  outgoing.writeHead(200).end();
}

function stream(connection, outgoing) {
  outgoing.writeHead(200, { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
  outgoing.flushHeaders();
  connection.write = (text) => outgoing.write(`data: ${text}\r\n\r\n`);
  connection.over = () => outgoing.end();
  outgoing.on("close", () => connection.end());
  connection.flush();
}

function poll(connection, outgoing) {
  const answer = (status, text = "") => {
    if (connection.answer !== answer) return;
    connection.answer = undefined;
    connection.write = null;
    clearTimeout(timer);
    outgoing.writeHead(status, { "Content-Type": "text/plain" }).end(text);
  };
  const timer = setTimeout(() => answer(200), 90_000);
  connection.answer?.(204);
  connection.heard = Date.now();
  connection.answer = answer;
  connection.over = () => connection.answer?.(204);
  if (!connection.wasPolled) {
    connection.wasPolled = true;
    return answer(200);
  }
  connection.write = (text) => answer(200, text);
  connection.flush();
}

const sockets = new WebSocketServer({ noServer: true });
http.on("upgrade", (incoming, socket, head) => {
  const id = new URL(incoming.url, "http://any").searchParams.get("id");
  const connection = connections.get(id);
  if (connection === undefined) return socket.destroy();
  sockets.handleUpgrade(incoming, socket, head, (webSocket) => {
    connection.write = (text) => webSocket.send(text);
    connection.over = () => webSocket.close();
    webSocket.on("message", (data) => connection.take(data.toString()));
    webSocket.on("close", () => connection.end());
    webSocket.on("error", () => connection.end());
    connection.flush();
  });
});
http.listen(Number(port), host, () => say("listening", { port: http.address().port }));
