// node socketio-server.mjs HOST PORT: socket.io with its default settings, except for the heartbeat
// of the row.
import { createServer } from "node:http";
import { event, GRACE, HEARTBEAT, load, PATIENCE, request, say, speak } from "./talk.mjs";

const { Server } = load("socket.io");
const [host, port] = process.argv.slice(2);
const http = createServer();
const times = HEARTBEAT ? { pingInterval: HEARTBEAT, pingTimeout: GRACE } : {};
const io = new Server(http, { cors: { origin: "*" }, ...times });

/** The socket of the client that connected last. */
let latest;
io.on("connection", (socket) => {
  const isFirst = latest === undefined;
  latest = socket;
  socket.on("event", (number) => say("arrived", { flow: "event-up", number }));
  socket.on("ask", (number, answer) => {
    say("arrived", { flow: "request-up", number });
    answer(number * 2);
  });
  if (isFirst) {
    speak((number) => {
      event("event-down", number, () => void latest.emit("event", number));
      request("request-down", number, () => latest.timeout(PATIENCE).emitWithAck("ask", number));
    });
  }
});
http.listen(Number(port), host, () => say("listening", { port: http.address().port }));
