// node socketio-server.mjs [--recovery] port=PORT journal=FILE [last=NUMBER] [ticking]: socket.io,
// with or without connection state recovery. The same as
// interop-tests/deploys/src/deploy/server.rs.
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { load, orders, say, wallClock } from "../../jitter/peers/tally.mjs";

const { Server } = load("socket.io");
const words = new Map(process.argv.slice(2).map((word) => word.split("=", 2)));
const journal = openSync(words.get("journal"), "a");
const write = (kind, client, number) => writeSync(journal, `${kind} ${client} ${number}\n`);

const http = createServer();
const io = new Server(http, words.has("--recovery") ? { connectionStateRecovery: {} } : {});
io.on("connection", (socket) => {
  const { client } = socket.handshake.auth;
  socket.on("event", (number) => write("e", client, number));
  socket.on("ask", (number, answer) => {
    write("r", client, number);
    answer(number * 2);
  });
  socket.on("wait", (number, answer) => {
    write("w", client, number);
    setTimeout(() => answer(number * 2), 3000);
  });
});

let number = Number(words.get("last") ?? 0);
let ticking = words.has("ticking");
orders.on("line", (line) => (ticking = line === "tick"));
const tick = () => {
  if (!ticking) return;
  io.emit("tick", (number += 1));
  write("t", 0, number);
};
const timer = setInterval(tick, 1000);
process.on("SIGTERM", () => {
  clearInterval(timer);
  // What its documentation does at the end of a process.
  io.close(() => process.exit());
});
http.listen(Number(words.get("port")), "127.0.0.1", 4096, () => {
  say("listening", { at: wallClock() });
  tick();
});
