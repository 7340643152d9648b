/** Opens what was built, in Chromium. */

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, request } from "node:http";
import { extname, join, normalize } from "node:path";

import { EXPECTED } from "./app/conversation.js";

/** What the page's title must be in the end. */
export const TITLE = `${EXPECTED}, ${EXPECTED}, 1000`;

/** Waits until the page says how it went; with a worker, what that says too. */
export async function look(project, url, { worker = false, title = TITLE, what = url } = {}) {
  const context = await project.browser.createBrowserContext();
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  try {
    await page.goto(url);
    await page.waitForFunction(() => document.title !== "waiting", { timeout: PATIENCE });
    assert.equal(await page.title(), title, what);
    if (worker) {
      await page.waitForFunction(() => document.documentElement.dataset.worker, {
        timeout: PATIENCE,
      });
      assert.equal(
        await page.evaluate(() => document.documentElement.dataset.worker),
        EXPECTED,
        `${what}, in a worker`,
      );
    }
  } catch (error) {
    throw new Error(`${what}: ${error.message}\n${errors.join("\n")}`);
  } finally {
    await context.close();
  }
}

/**
 * Serves a folder, and what is below `/bowline` from the world, as the proxy in front of an
 * application does. `other` serves what is no file.
 */
export async function hosted(project, folder, use, other) {
  const world = new URL(project.world);
  const front = createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url, "http://localhost");
    if (pathname.startsWith("/bowline/")) return pass(world, incoming, outgoing);
    if (other) return pass(other, incoming, outgoing);
    file(join(folder, normalize(pathname)), outgoing);
  });
  front.on("upgrade", (incoming, socket, head) => upgrade(world, incoming, socket, head));
  await new Promise((resolve) => front.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${front.address().port}/`);
  } finally {
    front.closeAllConnections();
    front.close();
  }
}

function pass(target, incoming, outgoing) {
  const { method, url: path, headers } = incoming;
  const asked = request(
    { host: target.hostname, port: target.port, method, path, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    },
  );
  asked.on("error", () => outgoing.destroy());
  outgoing.on("close", () => asked.destroy());
  incoming.pipe(asked);
}

function upgrade(target, { method, url: path, headers }, socket, head) {
  const asked = request({ host: target.hostname, port: target.port, method, path, headers });
  asked.on("error", () => socket.destroy());
  asked.on("upgrade", (answer, other, rest) => {
    const lines = answer.rawHeaders.map((word, index) => word + (index % 2 ? "\r\n" : ": "));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
    socket.write(rest);
    other.write(head);
    other.pipe(socket).pipe(other);
    for (const end of [other, socket]) end.on("error", () => (other.destroy(), socket.destroy()));
  });
  asked.end();
}

async function file(path, outgoing) {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return outgoing.writeHead(404).end();
  outgoing.writeHead(200, { "content-type": KINDS[extname(path)] ?? "application/octet-stream" });
  createReadStream(path).pipe(outgoing);
}

const KINDS = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const PATIENCE = 20_000;
