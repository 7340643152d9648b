// node signalr-client.mjs URL: @microsoft/signalr with its default settings, and with automatic
// reconnection, without which it never comes back; and the heartbeat of the row, if it has one.
import { event, GRACE, HEARTBEAT, load, PATIENCE, request, say, speak, within } from "./talk.mjs";

const { HubConnectionBuilder, LogLevel } = load("@microsoft/signalr");
const connection = new HubConnectionBuilder()
  .withUrl(process.argv[2])
  .withAutomaticReconnect()
  .configureLogging(LogLevel.None)
  .build();
if (HEARTBEAT) {
  connection.keepAliveIntervalInMilliseconds = HEARTBEAT;
  connection.serverTimeoutInMilliseconds = HEARTBEAT + GRACE;
}

connection.on("event", (number) => say("arrived", { flow: "event-down", number }));
connection.on("ask", (number) => {
  say("arrived", { flow: "request-down", number });
  return number * 2;
});
const report = () => {
  // The only place where it tells.
  const { transport } = connection.connection;
  say("transport", { name: transport?.constructor?.name?.replace("Transport", "") ?? "unknown" });
};
connection.onreconnected(report);
connection.onreconnecting((error) => {
  say("away");
  say("note", { text: String(error) });
});
connection.onclose((error) => say("note", { text: `closed: ${error}` }));
say("connecting");
// A first attempt that fails is not repeated by the library.
connection.start().then(report, (error) => say("note", { text: String(error) }));
speak((number) => {
  event("event-up", number, () => connection.send("event", number));
  if (connection.state !== "Connected") {
    // It fails at once: whoever asks knows that nothing was sent.
    say("refused", { flow: "request-up", number });
    return;
  }
  request("request-up", number, () => within(PATIENCE, connection.invoke("ask", number)));
});
