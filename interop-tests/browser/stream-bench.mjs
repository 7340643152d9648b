// Streams of Bowline beside those of SignalR's JavaScript client, in Node, over WebSocket:
// node stream-bench.mjs SERVER PACKAGE [--rounds N] [--json]
//
// SERVER is the program bench-server, PACKAGE the folder of the package; SignalR's server is
// stream-peer.mjs. Rounds take turns, rows are medians.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" }, json: { type: "boolean" } },
});
const [server, folder] = positionals;
const rounds = Number(values.rounds);
const SIDES = ["bowline", "signalr"];
const FAST = 200_000;
const COUNTED = 20_000;
/** More than anybody takes in the time that a slow reader has. */
const ENDLESS = 2_000_000;

const samples = {};
const ends = [];
try {
  const urls = {
    bowline: await started(server),
    signalr: await started(process.execPath, join(here, "stream-peer.mjs")),
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const side of round % 2 ? SIDES : SIDES.toReversed()) await measure(side, urls[side]);
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
} finally {
  for (const end of ends) end();
}
report();

async function measure(side, url) {
  const note = (row, value) => ((samples[row] ??= {})[side] ??= []).push(value);
  const fast = await read(side, url, FAST, 0);
  note("items a second, thousands", fast.taken / fast.milliseconds);
  note(`memory of the client for ${FAST.toLocaleString("en")} items, MiB`, fast.megabytes);
  const slow = await read(side, url, ENDLESS, 1);
  note("memory of a client that takes an item a millisecond for 3 s, MiB", slow.megabytes);
  const counter = await counting(url);
  const counted = await read(side, counter.url, COUNTED, 0);
  counter.close();
  note("bytes on the wire for an item, both ways", counter.bytes() / counted.taken);
}

async function read(side, url, items, pace) {
  const words = [side, url, folder, items, pace].map(String);
  const client = join(here, "stream-client.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", client, ...words]);
  return JSON.parse(stdout);
}

/** A way to the server that counts bytes. */
async function counting(url) {
  const { port, pathname } = new URL(url);
  let bytes = 0;
  const proxy = createServer((near) => {
    const far = connect(Number(port), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on("data", (data) => (bytes += data.length));
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${proxy.address().port}${pathname}`,
    bytes: () => bytes,
    close: () => proxy.close(),
  };
}

/** Starts a program that prints its address and ends when its input does. */
async function started(program, ...words) {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  ends.push(() => child.stdin.end());
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return JSON.parse(line).url;
}

function report() {
  const middle = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  const rows = Object.entries(samples).map(([row, sides]) => {
    return { row, ...Object.fromEntries(SIDES.map((side) => [side, middle(sides[side])])) };
  });
  if (values.json) return console.log(JSON.stringify({ rounds, rows }));
  console.log("| streams, Node, WebSocket | bowline | signalr |\n|---|--:|--:|");
  for (const { row, bowline, signalr } of rows) {
    console.log(`| ${row} | ${bowline.toFixed(1)} | ${signalr.toFixed(1)} |`);
  }
}
