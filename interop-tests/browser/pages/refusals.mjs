/** Something else than a Bowline server answers a page. */

import { once } from "node:events";
import { createServer } from "node:http";

import { equal, ok } from "../expect.js";
import { Conversation } from "./conversation.mjs";

const refusals = {
  async "nothing follows a redirect of a page"(talk) {
    const elsewhere = await serve(talk, 200);
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await serve(talk, status, { location: `${elsewhere.url}/elsewhere` });
      equal((await refused(talk, server.url)).code, "redirected");
      ok(server.asked.includes("POST"), "it was asked");
    }
    equal(elsewhere.asked, []);
  },

  async "a page is told what refuses it for good, and what its URL and options lack"(talk) {
    for (const [status, code] of [
      [401, "unauthorized"],
      [403, "forbidden"],
      [404, "not-found"],
      [200, "not-bowline"],
    ]) {
      const server = await serve(talk, status);
      const { diagnostics, ...told } = await refused(talk, server.url);
      equal(told, { code, closeCode: 4310, reason: code });
      ok(diagnostics.includes(`HTTP ${status}: `), diagnostics);
    }
    const wrong = (options) => refused(talk, "/bowline", options);
    equal((await wrong({ headers: { a: "b" } })).code, "invalid-option");
    equal((await wrong({ timeot: 5 })).code, "invalid-option");
    equal((await refused(talk, "http://me:hush@localhost/bowline")).code, "invalid-option");
  },
};

/** What a client of the page meets. */
async function refused(talk, url, options = {}) {
  const told = await talk.page.evaluate(
    async (url, options) => {
      let client;
      try {
        client = new window.test.client.constructor(url, options);
        await client.connect();
        return {};
      } catch ({ code, closeCode, message }) {
        return {
          code,
          closeCode,
          reason: client?.status.reason,
          diagnostics: client ? window.test.describe(client.diagnostics()) : message,
        };
      }
    },
    url,
    options,
  );
  return told;
}

/** A server for pages of the world's origin, which answers everything with one status. */
async function serve(talk, status, headers = {}) {
  const asked = [];
  const { origin } = new URL(talk.world.url);
  const allow = {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
  };
  const server = createServer((request, response) => {
    asked.push(request.method);
    request.resume();
    response.writeHead(status, { "content-type": "text/html", ...allow, ...headers }).end("<html>");
  });
  talk.servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { asked, url: `http://127.0.0.1:${server.address().port}/bowline` };
}

export function refusalTests(browser, control) {
  return Object.entries(refusals).map(([name, tell]) => ({
    name,
    run: () =>
      Conversation.with(browser, control, {}, async (talk) => {
        talk.servers = [];
        try {
          await talk.open();
          await tell(talk);
        } finally {
          for (const server of talk.servers) server.close().closeAllConnections();
        }
      }),
  }));
}
