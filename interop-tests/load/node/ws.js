// ws: an echo, and the plainest broadcast that its documentation shows.
const { WebSocketServer, WebSocket } = require("ws");

const port = Number(process.argv[2]);
const server = new WebSocketServer({ port, host: "127.0.0.1", backlog: 1024, perMessageDeflate: false });
const members = new Set();
server.on("connection", (socket, request) => {
  if (request.url === "/sub") {
    members.add(socket);
    socket.on("close", () => members.delete(socket));
  } else if (request.url === "/pub") {
    socket.on("message", (data, binary) => {
      for (const member of members) {
        if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
      }
    });
  } else {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  }
});
