/** Plays stories in Node for the process that started it, with the module that it names. */

import { pathToFileURL } from "node:url";

import { play } from "./play.js";

const module = await import(pathToFileURL(process.argv[2]));

process.on("uncaughtException", (error) => {
  if (error?.message?.includes("on purpose")) return;
  console.error(error);
  process.exit(1);
});

process.on("message", async ({ id, task }) => {
  process.send({ id, broken: await (task.ladder ? ladder(task) : play(task, module)) });
});

/** The transports as they are by default: what is not there is passed over. */
async function ladder({ seed }) {
  const client = new module.Client(`${seed.url}bowline`);
  try {
    await client.connect();
    await client.request("up", 1);
    return client.transport === "sse" ? null : `it went on over ${client.transport}`;
  } catch (error) {
    return `${error?.stack ?? error}`;
  } finally {
    client.close();
  }
}
