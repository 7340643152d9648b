// node socketio.mjs: socket.io-client, with its default settings but over WebSocket from the start.
import { load, run } from "./tally.mjs";

const { io } = load("socket.io-client");

run((url, arrived) => {
  const socket = io(url, { transports: ["websocket"], forceNew: true });
  socket.on("tick", (number, at) => arrived(number, at));
  return new Promise((resolve) => socket.once("connect", resolve));
});
