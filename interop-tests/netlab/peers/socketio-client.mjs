// node socketio-client.mjs URL: socket.io-client with its default settings.
import { event, load, PATIENCE, request, say, speak } from "./talk.mjs";

const { io } = load("socket.io-client");
const socket = io(process.argv[2], { autoConnect: false });

socket.on("event", (number) => say("arrived", { flow: "event-down", number }));
socket.on("ask", (number, answer) => {
  say("arrived", { flow: "request-down", number });
  answer(number * 2);
});
const report = () => say("transport", { name: socket.io.engine.transport.name });
socket.on("connect", () => {
  report();
  socket.io.engine.on("upgrade", report);
});
socket.on("disconnect", (why) => {
  say("away");
  say("note", { text: why });
});
socket.on("connect_error", (error) => say("note", { text: String(error) }));
say("connecting");
socket.connect();
speak((number) => {
  event("event-up", number, () => void socket.emit("event", number));
  request("request-up", number, () => socket.timeout(PATIENCE).emitWithAck("ask", number));
});
