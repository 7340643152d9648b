// As much of a SignalR hub as its client needs to stream over WebSocket, for want of .NET: the JSON
// protocol, and the stream "count". Prints its address, as JSON, and ends when its input does.
// Source: HubProtocol.md of dotnet/aspnetcore.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";

// The client brings it along.
const signalr = createRequire(import.meta.url).resolve("@microsoft/signalr");
const { Server: WebSocketServer } = createRequire(signalr)("ws");
const END = "\x1e";
const TEXT = "x".repeat(40);

const http = createServer((incoming, outgoing) => {
  const connectionId = randomUUID();
  const availableTransports = [{ transport: "WebSockets", transferFormats: ["Text"] }];
  const negotiated = { negotiateVersion: 1, connectionId, connectionToken: connectionId };
  outgoing.writeHead(200, { "Content-Type": "application/json" });
  outgoing.end(JSON.stringify({ ...negotiated, availableTransports }));
});

new WebSocketServer({ server: http }).on("connection", (socket, { socket: tcp }) => {
  const cancelled = new Set();
  const send = (message) => socket.send(JSON.stringify(message) + END);
  const count = async (invocationId, items) => {
    for (let number = 1; number <= items && !cancelled.has(invocationId); number += 1) {
      send({ type: 2, invocationId, item: { number, text: TEXT } });
      // As a server that waits for what it writes, and lets others have their turn.
      if (tcp.writableNeedDrain) await Promise.race([once(tcp, "drain"), once(tcp, "close")]);
      else if (number % 256 === 0) await new Promise(setImmediate);
      if (tcp.destroyed) return;
    }
    send({ type: 3, invocationId });
  };
  socket.on("error", () => {});
  socket.on("message", (data) => {
    for (const line of data.toString().split(END).filter(Boolean)) {
      const { protocol, type, invocationId, arguments: values } = JSON.parse(line);
      if (protocol) socket.send(`{}${END}`);
      if (type === 4) count(invocationId, values[0]);
      if (type === 5) cancelled.add(invocationId);
      if (type === 6) send({ type: 6 });
    }
  });
});

http.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}/hub` }));
});
process.stdin.resume().on("end", () => process.exit());
