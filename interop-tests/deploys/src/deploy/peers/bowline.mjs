// node bowline.mjs: the npm package.
import { createRequire } from "node:module";
import { join } from "node:path";
import { ANSWER, run } from "./clients.mjs";

// A package may load itself by its name, as its users do.
const load = createRequire(join(process.env.BOWLINE_PACKAGE, "package.json"));
const { Client } = load("bowline-client");

run(async ({ url, number, transport, heard, lost }) => {
  const client = new Client(`${url}/bowline`, {
    auth: number,
    ...(transport && { transports: [transport] }),
  });
  let current;
  client.on("tick", heard);
  client.onStatus((status) => {
    if (status.state === "session-lost") lost();
    if (status.state === "connected") current = status.transport;
  });
  await client.connect();
  return {
    emit: (name, value) => client.emit(name, value),
    request: (name, value) => client.request(name, value, { timeout: ANSWER }),
    transport: () => current,
  };
});
