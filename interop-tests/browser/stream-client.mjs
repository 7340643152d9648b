// Reads one stream with one library, in a process of its own: node --expose-gc stream-client.mjs
// SIDE URL PACKAGE ITEMS PACE. Prints what it took as JSON. PACE is the number of items that it
// takes in a millisecond, 0 for as many as come; with a pace it ends after SECONDS.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [side, url, folder, items, pace] = process.argv.slice(2);
const SECONDS = 3;
const require = createRequire(import.meta.url);
const stream = await { bowline, signalr }[side]();
gc();
const before = process.memoryUsage().rss;
let [taken, most] = [0, 0];
const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
const begun = performance.now();
for await (const item of stream.items(Number(items))) {
  taken += 1;
  if (item.number !== taken) throw new Error(`item ${item.number} is not the next of ${taken}`);
  if (pace === "0") continue;
  if (taken % Number(pace) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  if (performance.now() - begun > SECONDS * 1000) break;
}
const milliseconds = performance.now() - begun;
clearInterval(watch);
most = Math.max(most, process.memoryUsage().rss);
console.log(JSON.stringify({ milliseconds, taken, megabytes: (most - before) / 2 ** 20 }));
stream.close();
process.exit();

async function bowline() {
  // What SignalR's client uses in Node as well; Node 20 has none of its own.
  globalThis.WebSocket ??= createRequire(require.resolve("@microsoft/signalr"))("ws");
  const { Client } = await import(pathToFileURL(`${folder}/node.js`));
  const { stream } = await import(pathToFileURL(`${folder}/streams.js`));
  const client = new Client(url, { transports: ["websocket"] });
  await client.connect();
  return { items: (count) => stream(client, "count", count), close: () => client.close() };
}

/** What its users write to read a stream one by one: its observer cannot make the server wait. */
async function signalr() {
  const { HubConnectionBuilder, LogLevel } = require("@microsoft/signalr");
  const builder = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.None);
  const connection = builder.build();
  await connection.start();
  async function* items(count) {
    const [waiting, wake] = [[], { up: () => {} }];
    let ended = false;
    const subscription = connection.stream("count", count).subscribe({
      next: (item) => (waiting.push(item), wake.up()),
      complete: () => ((ended = true), wake.up()),
      error: (error) => ((ended = error), wake.up()),
    });
    try {
      for (let at = 0; ; at += 1) {
        if (at === waiting.length && !ended) {
          waiting.length = at = 0;
          await new Promise((resolve) => (wake.up = resolve));
        }
        if (at === waiting.length) break;
        yield waiting[at];
      }
    } finally {
      subscription.dispose();
    }
    if (ended !== true) throw ended;
  }
  return { items, close: () => connection.stop() };
}
