// node socketio-server.mjs [--recovery]: socket.io, with or without connection state recovery.
import { createServer } from "node:http";
import { load, orders, say, wallClock } from "./tally.mjs";

const { Server } = load("socket.io");
const http = createServer();
const io = new Server(http, process.argv.includes("--recovery") ? { connectionStateRecovery: {} } : {});

orders.once("line", (line) => {
  const { messages, every } = JSON.parse(line);
  let number = 0;
  const timer = setInterval(() => {
    io.emit("tick", (number += 1), wallClock());
    if (number < messages) return;
    clearInterval(timer);
    say("sent");
  }, every);
});
http.listen(0, "127.0.0.1", () => say("listening", { port: http.address().port }));
