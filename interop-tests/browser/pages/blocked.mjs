/** Pages and networks in which a WebSocket does not work, each in its own way. */

import { equal, ok } from "../expect.js";
import { Conversation } from "./conversation.mjs";

export const blocked = {
  async "a page without WebSocket goes on over SSE"(talk) {
    await talk.page.evaluateOnNewDocument(() => delete window.WebSocket);
    await talk.open();
    equal((await talk.facts()).webSocket, "undefined");
    await goesOnOver(talk, "sse");
  },

  async "a WebSocket constructor that throws is a closed way"(talk) {
    await talk.page.evaluateOnNewDocument(() => {
      window.WebSocket = function WebSocket() {
        throw new DOMException("blocked by a tool", "SecurityError");
      };
    });
    await talk.open();
    await goesOnOver(talk, "sse");
  },

  async "a content security policy may forbid WebSockets"(talk) {
    await talk.open({}, "connect-src http:");
    await goesOnOver(talk, "sse");
    equal((await talk.world.counters()).refused_upgrades, 0);
  },

  async "upgrades that are answered with 403 lead to SSE"(talk) {
    await refused(talk, 403);
  },

  async "upgrades that are answered with 400 lead to SSE"(talk) {
    await refused(talk, 400);
  },

  async "a WebSocket that opens and then is dead is not waited for"(talk) {
    await talk.world.do("dead-upgrades", { on: true });
    await talk.open();
    await goesOnOver(talk, "sse");
    ok((await talk.world.counters()).bytes_muted > 0, "the WebSocket was tried");
  },

  async "without WebSocket and SSE there is polling"(talk) {
    await talk.page.evaluateOnNewDocument(() => {
      delete window.WebSocket;
      delete window.EventSource;
      const { fetch } = window;
      window.fetch = (resource, ...rest) =>
        /\/sse$/.test(resource.url ?? resource)
          ? Promise.reject(new TypeError("no"))
          : fetch(resource, ...rest);
    });
    await talk.open();
    await goesOnOver(talk, "polling");
  },
};

async function refused(talk, status) {
  await talk.world.do("refuse-upgrades", { status });
  await talk.open();
  await goesOnOver(talk, "sse");
  ok((await talk.world.counters()).refused_upgrades > 0, "an upgrade was tried");
}

async function goesOnOver(talk, transport) {
  equal((await talk.facts()).transport, transport);
  await talk.goesOn();
}

/** For the table of tests. */
export function blockedTests(browser, control) {
  return Object.entries(blocked).map(([name, tell]) => ({
    name,
    run: () => Conversation.with(browser, control, {}, tell),
  }));
}
