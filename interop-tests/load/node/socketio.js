// socket.io with its default options.
const { Server } = require("socket.io");

const http = require("http").createServer();
const io = new Server(http);
io.on("connection", (socket) => {
  socket.on("echo", (payload, ack) => ack(payload));
  socket.on("join", (ack) => {
    socket.join("room");
    ack();
  });
  socket.on("pub", (payload) => io.to("room").emit("msg", payload));
});
http.listen(Number(process.argv[2]), "127.0.0.1", 1024);
