/** A proxy compresses what it passes on, and says how long that has become. */

import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { gzipSync } from "node:zlib";

import { equal, ok } from "../expect.js";
import { Conversation } from "./conversation.mjs";

async function isRead(talk, transport) {
  const proxy = await compressing(talk.world);
  try {
    const hash = encodeURIComponent(JSON.stringify({ transports: [transport] }));
    await talk.page.goto(`${proxy.url}/pages/page.html#${hash}`);
    await talk.connected();
    talk.session = (await talk.facts()).sessionId;
    await talk.goesOn();
    equal((await talk.facts()).stats.reconnects, 0, "what was compressed was read");
    ok(proxy.compressed > 0, "something was compressed");
  } finally {
    proxy.close();
  }
}

/** Passes everything on, and the bodies of answers to POSTs that are no streams compressed. */
async function compressing(world) {
  const proxy = { compressed: 0 };
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url, world.url);
    const to = ask(
      new URL(pathname + search, world.url),
      { method: request.method, headers: request.headers },
      (answer) => {
        const { statusCode, headers } = answer;
        if (request.method !== "POST" || headers["content-type"]?.includes("event-stream")) {
          return answer.pipe(response.writeHead(statusCode, headers));
        }
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => {
          const body = gzipSync(Buffer.concat(parts));
          proxy.compressed += 1;
          response
            .writeHead(statusCode, {
              ...headers,
              "content-encoding": "gzip",
              "content-length": body.length,
            })
            .end(body);
        });
      },
    );
    to.on("error", () => response.destroy());
    response.on("close", () => to.destroy());
    request.pipe(to);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.close = () => server.close().closeAllConnections();
  return proxy;
}

export function compressingTests(browser, control) {
  return ["sse", "polling"].map((transport) => ({
    name: `answers that a proxy compresses are read, over ${transport}`,
    run: () => Conversation.with(browser, control, {}, (talk) => isRead(talk, transport)),
  }));
}
