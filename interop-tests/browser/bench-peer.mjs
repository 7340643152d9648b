// What bench-server does, with socket.io. Prints its address, as JSON, and ends when its input
// does.
import { createServer } from "node:http";
import { Server } from "socket.io";

const LARGE = 1_000_000;
const text = "x".repeat(LARGE);
const bytes = Buffer.alloc(LARGE, 7);
const item = "x".repeat(190);

const http = createServer();
const io = new Server(http, { cors: { origin: "*" }, maxHttpBufferSize: 4 * LARGE });

io.on("connection", (socket) => {
  socket.emit("hello", "hello");
  socket.on("flood", (count, answer) => {
    for (let number = 0; number < count; number += 1) socket.emit("item", [number, item]);
    answer();
  });
  socket.on("echo", (number, answer) => answer(number));
  socket.on("give-text", (_, answer) => answer(socket.emit("text", text)));
  socket.on("give-bytes", (_, answer) => answer(socket.emit("bytes", bytes)));
  socket.on("take-text", (taken, answer) => answer(taken.length));
  socket.on("take-bytes", (taken, answer) => answer(taken.length));
});

http.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}` }));
});
process.stdin.resume().on("end", () => process.exit());
