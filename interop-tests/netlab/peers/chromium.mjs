// node chromium.mjs URL: the npm package with its default settings, in a page of Chromium.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { load, say, speak, whenStopped } from "./talk.mjs";

const puppeteer = (await import(pathToFileURL(load.resolve("puppeteer-core")))).default;
const { withBrowser } = await import("../../browser/runner/launch.mjs");
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

await withBrowser(puppeteer, "chromium", async (browser) => {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => say("failed", { why: String(error) }));
  page.on("console", (message) => say("note", { text: message.text() }));
  await page.exposeFunction("record", (line) => process.stdout.write(`${line}\n`));
  await page.goto(await serve());
  await page.evaluate(begin, process.argv[2]);
  const failed = (error) => say("failed", { why: String(error) });
  // The page takes one after the other, so it says that it has stopped after all that it was told
  // to send.
  speak((number) => void page.evaluate((number) => globalThis.tick(number), number).catch(failed));
  whenStopped(() => void page.evaluate(() => globalThis.stop()).catch(failed));
  await new Promise(() => {});
});

/** In the page: connects, and leaves a function that sends something. */
async function begin(url) {
  const { Client } = await import("/index.js");
  const say = (what, more = {}) => {
    record(JSON.stringify({ at: performance.timeOrigin + performance.now(), say: what, ...more }));
  };
  const client = new Client(url);
  client.on("event", (number) => say("arrived", { flow: "event-down", number }));
  client.handle("ask", (number) => {
    say("arrived", { flow: "request-down", number });
    return number * 2;
  });
  let wasConnected = false;
  client.onStatus((status) => {
    const isConnected = status.state === "connected";
    if (isConnected) say("transport", { name: status.transport });
    else if (wasConnected) say("away");
    wasConnected = isConnected;
  });
  globalThis.stop = () => say("stopped");
  globalThis.tick = (number) => {
    say("sent", { flow: "event-up", number });
    client.emit("event", number);
    say("sent", { flow: "request-up", number });
    const ended = (right) => say("ended", { flow: "request-up", number, right });
    const answer = client.request("ask", number, { timeout: Infinity });
    answer.then((answer) => ended(answer === number * 2), () => ended(false));
  };
  say("connecting");
  client.connect().catch((error) => say("note", { text: String(error) }));
}

/**
 * Serves an empty page and the package from an origin of their own, so the network cannot hold them
 * up.
 */
async function serve() {
  const server = createServer(async (request, response) => {
    const name = normalize(new URL(request.url, "http://any").pathname);
    if (name === "/") {
      response.setHeader("Content-Type", "text/html").end("<!doctype html><title>A row</title>");
      return;
    }
    try {
      const body = await readFile(join(process.env.BOWLINE_PACKAGE, name));
      response.setHeader("Content-Type", TYPES[extname(name)] ?? "text/plain").end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${server.address().port}/`;
}
