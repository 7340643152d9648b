// Bowline beside socket.io in one browser: node bench.mjs SERVER PACKAGE [--rounds N] [--json]
// [--strict]
//
// SERVER is the program bench-server, PACKAGE the folder of the package. Rounds take turns, rows
// are medians, and a ratio below 1 is in our favour.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import puppeteer from "puppeteer-core";
import { withBrowser } from "./runner/launch.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "7" },
    json: { type: "boolean" },
    strict: { type: "boolean" },
  },
});
const [server, packageFolder] = positionals;
const rounds = Number(values.rounds);

/**
 * How much worse than the other a median may be before it counts: two runs of the same differ so
 * much.
 */
const MARGIN = 1.15;
const CONNECTS_EACH_ROUND = Math.ceil(20 / rounds);
const EVENTS = 20_000;
const REQUESTS = 5_000;
const SOCKET_ONLY = { transports: ["websocket"] };

const SIDES = ["bowline", "socket.io"];
const TYPES = { ".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm" };

const samples = {};
const ends = [];
try {
  const urls = {
    bowline: await started(server),
    "socket.io": await started(process.execPath, join(here, "bench-peer.mjs")),
  };
  const origin = await served();
  await withBrowser(puppeteer, "chromium", async (browser) => {
    for (let round = 0; round < rounds; round += 1) await measure(browser, origin, urls, round);
  });
} finally {
  for (const end of ends) end();
}
report();

/** One round of everything, for both, each first in every other round. */
async function measure(browser, origin, urls, round) {
  for (const side of round % 2 ? SIDES : SIDES.toReversed()) {
    const taken = (row, value) => ((samples[row] ??= {})[side] ??= []).push(value);
    for (let connect = 0; connect < CONNECTS_EACH_ROUND; connect += 1) {
      for (const [how, options] of [
        ["default transports", {}],
        ["WebSocket only", SOCKET_ONLY],
      ]) {
        await inPage(browser, origin, async (page) => {
          taken("load the module, ms", await page.evaluate((side) => bench.load(side), side));
          const connect = (url, options) => bench.connect(url, options);
          taken(`first event, ${how}, ms`, await page.evaluate(connect, urls[side], options));
        });
      }
    }
    await inPage(browser, origin, (page) => work(page, side, urls[side], taken));
  }
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}

async function work(page, side, url, taken) {
  const devtools = await page.createCDPSession();
  const empty = await heap(devtools);
  await page.evaluate((side) => bench.load(side), side);
  await page.evaluate((url, options) => bench.connect(url, options), url, SOCKET_ONLY);
  taken(
    "memory connected, kB",
    kilobytes(await heap(devtools), empty, await page.evaluate(() => bench.wasmBytes())),
  );
  for (const kind of ["text", "bytes"]) {
    taken(`1 MB of ${kind} down, ms`, await page.evaluate((kind) => bench.give(kind), kind));
    taken(`1 MB of ${kind} up, ms`, await page.evaluate((kind) => bench.take(kind), kind));
  }
  const flood = await busy(page, () => page.evaluate((count) => bench.flood(count), EVENTS));
  taken("20,000 events, ms", flood.value);
  taken("20,000 events, main thread ms", flood.milliseconds);
  const requests = await busy(page, () =>
    page.evaluate((count) => bench.requests(count, 16), REQUESTS),
  );
  taken("5,000 requests, ms", requests.value);
  taken("5,000 requests, main thread ms", requests.milliseconds);
  taken(
    "memory after all, kB",
    kilobytes(await heap(devtools), empty, await page.evaluate(() => bench.wasmBytes())),
  );
  await page.evaluate(() => bench.close());
}

/** How long the page's main thread was busy meanwhile. */
async function busy(page, use) {
  const before = await page.metrics();
  const value = await use();
  const after = await page.metrics();
  return { value, milliseconds: (after.TaskDuration - before.TaskDuration) * 1000 };
}

/** Bytes in use of JavaScript's heap and of the arrays beside it, after a collection. */
async function heap(devtools) {
  await devtools.send("HeapProfiler.collectGarbage");
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  return usedSize;
}

/** What the library has added, with its WebAssembly memory. */
function kilobytes(heap, empty, wasm) {
  return (heap - empty + wasm) / 1000;
}

async function inPage(browser, origin, use) {
  const page = await browser.newPage();
  try {
    page.on("pageerror", (error) => console.error(error));
    await page.goto(`${origin}/bench.html`);
    await page.waitForFunction(() => window.bench !== undefined);
    return await use(page);
  } finally {
    await page.close();
  }
}

/** The address of a program that prints one and ends with its input. */
async function started(program, ...words) {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  ends.push(() => child.stdin.end());
  const [line] = await once(createInterface(child.stdout), "line");
  return JSON.parse(line).url;
}

/** The page, the package and the other library, from one origin. */
async function served() {
  const folders = {
    package: packageFolder,
    peer: join(here, "node_modules/socket.io-client/dist"),
  };
  const http = createServer(async (request, response) => {
    const [, top, ...rest] = normalize(request.url).split("/");
    const file = folders[top] ? join(folders[top], ...rest) : join(here, top);
    try {
      const content = await readFile(file);
      response
        .setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream")
        .end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  ends.push(() => http.close());
  return `http://127.0.0.1:${http.address().port}`;
}

function report() {
  const rows = Object.entries(samples).map(([name, sides]) => {
    const [ours, theirs] = SIDES.map((side) => median(sides[side]));
    return { name, ours, theirs, ratio: ours / theirs };
  });
  values.json ? console.log(JSON.stringify(rows, null, 2)) : table(rows);
  const worse = rows.filter(({ ratio }) => ratio > MARGIN);
  if (worse.length === 0) return;
  console.error(`worse by more than ${MARGIN}: ${worse.map(({ name }) => name).join("; ")}`);
  if (values.strict) process.exitCode = 1;
}

function table(rows) {
  const line = (name, ...cells) =>
    console.log(name.padEnd(40), ...cells.map((cell) => cell.padStart(10)));
  line("medians", ...SIDES, "ratio");
  for (const { name, ours, theirs, ratio } of rows) {
    line(name, ...[ours, theirs].map((value) => value.toFixed(1)), ratio.toFixed(2));
  }
}

function median(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
