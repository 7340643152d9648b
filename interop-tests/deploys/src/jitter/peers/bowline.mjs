// node bowline.mjs: the npm package, with its default settings.
import { createRequire } from "node:module";
import { join } from "node:path";
import { run } from "./tally.mjs";

// A package may load itself by its name, as its users do.
const load = createRequire(join(process.env.BOWLINE_PACKAGE, "package.json"));
const { Client } = load("bowline-client");

run((url, arrived) => {
  const client = new Client(`${url}/bowline`);
  client.on("tick", ([number, at]) => arrived(number, at));
  return client.connect();
});
