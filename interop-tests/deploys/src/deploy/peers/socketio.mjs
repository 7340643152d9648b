// node socketio.mjs: socket.io-client, with its default settings but for the transports. Its
// streams do not exist, so clients of the table that use SSE use its polling.
import { load } from "../../jitter/peers/tally.mjs";
import { ANSWER, run } from "./clients.mjs";

const { io } = load("socket.io-client");

run(({ url, number, transport, heard, lost }) => {
  const transports = [transport ? "polling" : "websocket"];
  const socket = io(url, { transports, forceNew: true, auth: { client: number } });
  let greeted = false;
  socket.on("tick", heard);
  return new Promise((resolve) => {
    socket.on("connect", () => {
      // The library says only this much: it does not know what it has missed.
      if (greeted && !socket.recovered) lost();
      greeted = true;
      resolve({
        emit: (name, value) => socket.emit(name, value),
        request: (name, value) => socket.timeout(SOON).emitWithAck(name, value),
        transport: () => transports[0],
      });
    });
  });
});

/**
 * Milliseconds: what was under way when the server ended is never answered, and this is how the
 * library says so.
 */
const SOON = Math.min(ANSWER, 15_000);
