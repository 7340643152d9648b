/** What refuses a client in Node, with servers that are no Bowline servers. */

import { once } from "node:events";
import { createServer } from "node:http";

import { equal, fails, ok, throws } from "../expect.js";
import { World } from "../world.js";

const TRANSPORTS = [undefined, ["sse"], ["polling"]];
const CODES = {
  302: "redirected",
  307: "redirected",
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  405: "method-not-allowed",
  407: "proxy-authentication",
  451: "rejected",
  200: "not-bowline",
};

export function refusalTests({ Client, describe }, control) {
  return [
    {
      name: "what waiting does not mend rejects with its code, and nothing follows a redirect",
      run: () =>
        withServers(async (serve) => {
          const elsewhere = await serve(200);
          for (const [status, code] of Object.entries(CODES)) {
            for (const transports of TRANSPORTS) {
              const server = await serve(Number(status), { location: elsewhere.url });
              const client = new Client(server.url, { transports });
              const refused = await fails(client.connect(), code);
              equal([refused.closeCode, client.status.reason], [4310, code]);
              const words = describe(client.diagnostics());
              ok(words.includes("failed after") && !words.includes("proxy on the way"), words);
            }
          }
          equal(elsewhere.heads, []);
        }),
    },
    {
      name: "what may pass is retried until the deadline",
      run: () =>
        withServers(async (serve) => {
          const server = await serve(503);
          const client = new Client(server.url, { connectDeadline: 300 });
          const late = await fails(client.connect(), "connect-deadline");
          ok(late.message.includes("HTTP 503") && late.retryable, late.message);
          client.close();
        }),
    },
    {
      name: "who is told when to come back does not come sooner",
      run: () =>
        withServers(async (serve) => {
          for (const status of [429, 503]) {
            const server = await serve(status, { "retry-after": "1" });
            const client = new Client(server.url, {
              transports: ["polling"],
              connectDeadline: 2_500,
            });
            await fails(client.connect(), "connect-deadline");
            client.close();
            const [first, ...later] = server.times;
            ok(later.length > 0 && later.length < 3, `${later.length} more requests in 2.5 s`);
            ok(later[0] - first >= 999, `the second came after ${later[0] - first} ms`);
          }
        }),
    },
    {
      name: "an answer or an event without end is given up at the batch limit",
      run: () =>
        withServers(async (serve) => {
          for (const [transport, type] of [
            ["sse", "text/event-stream"],
            ["polling", "text/plain"],
          ]) {
            for (const status of [200, 503]) {
              const server = await serve(status, { "content-type": type }, endless);
              const client = new Client(server.url, {
                transports: [transport],
                connectTimeout: 20_000,
                connectDeadline: 20_000,
              });
              const met = new Promise((resolve) =>
                client.onStatus(() => client.lastFailure && resolve(client.lastFailure)),
              );
              client.connect().catch(() => {});
              ok(
                (await met).includes("larger than the batch limit"),
                `${transport} ${status}: ${client.lastFailure}`,
              );
              client.close();
            }
          }
        }),
    },
    {
      name: "a reason that is no JSON is shown as it is",
      run: () =>
        withServers(async (serve) => {
          const server = await serve(403, {}, (response) =>
            response.end("x 4300 come back on Monday"),
          );
          for (const transports of TRANSPORTS.slice(1)) {
            const client = new Client(server.url, { transports });
            const refused = await fails(client.connect(), "closed");
            equal([refused.closeCode, client.status.reason], [4300, "come back on Monday"]);
          }
        }),
    },
    {
      name: "a certificate that nobody trusts, and https spoken where http was meant",
      async run() {
        const world = await World.create(control, { http2: true });
        try {
          for (const transports of TRANSPORTS) {
            const untrusted = new Client(`${world.url}bowline`, { transports });
            const refused = await fails(untrusted.connect(), "untrusted-certificate");
            equal([refused.closeCode, untrusted.status.reason], [4310, "untrusted-certificate"]);
            const plain = new Client(`${world.url.replace("https", "http")}bowline`, {
              transports,
            });
            await fails(plain.connect(), "tls-expected");
          }
          equal(await world.journal(), []);
        } finally {
          await world.end();
        }
      },
    },
    {
      name: "wrong ports and schemes are told apart",
      run: () =>
        withServers(async (serve) => {
          const server = await serve(404);
          await fails(new Client(server.url.replace("http", "https")).connect(), "tls-missing");
          const alone = new Client(server.url, { transports: ["websocket"] });
          if (!globalThis.WebSocket) await fails(alone.connect(), "no-websocket");
          alone.close();
        }),
    },
    {
      name: "headers go with every request, and none that cannot be sent is shown",
      run: () =>
        withServers(async (serve) => {
          const server = await serve(404);
          let count = 0;
          const headers = () => ({ cookie: "id=7", authorization: `Bearer ${++count}` });
          await fails(new Client(server.url, { headers }).connect(), "not-found");
          ok(
            server.heads.length >= 4 && server.heads.every(({ cookie }) => cookie === "id=7"),
            "a cookie is missing",
          );
          const tokens = new Set(server.heads.map(({ authorization }) => authorization));
          equal(tokens.size, server.heads.length, "each is asked for anew");
          const wrong = throws(
            () => new Client(server.url, { headers: { a: "hush\n" + "\0hush" } }),
            "invalid-option",
          );
          ok(!wrong.message.includes("hush"), wrong.message);
        }),
    },
  ];
}

/** Writes for as long as somebody reads. */
function endless(response) {
  response.write("data: ");
  const more = () => {
    while (!response.destroyed && response.write("a".repeat(1 << 16)));
  };
  response.on("drain", more);
  more();
}

/** Servers that answer everything with one status; they end with the test. */
async function withServers(test) {
  const servers = [];
  const serve = async (status, headers = {}, write = (response) => response.end("<html>")) => {
    const [heads, times] = [[], []];
    const server = createServer((request, response) => {
      heads.push(request.headers);
      times.push(performance.now());
      request.resume();
      write(response.writeHead(status, { "content-type": "text/html", ...headers }));
    });
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { heads, times, url: `http://127.0.0.1:${server.address().port}/bowline` };
  };
  try {
    await test(serve);
  } finally {
    for (const server of servers) server.close().closeAllConnections();
  }
}
