/** Networks that get better, and pages that remember what they met. */

import { equal, ok } from "../expect.js";
import { Conversation } from "./conversation.mjs";

export const healing = {
  async "a network that heals is found out beside the carrier"(talk) {
    await talk.world.do("refuse-upgrades", { status: 403 });
    await talk.open({ trialInterval: 200 });
    equal((await talk.facts()).transport, "sse");
    await talk.talk();
    await talk.world.do("refuse-upgrades", { status: null });
    await Promise.all([talk.transport("websocket"), talk.talk()]);
    await talk.nothingIsLost();
    const states = await talk.page.evaluate(() => window.test.statuses.map(({ state }) => state));
    const first = states.indexOf("connected");
    equal([...new Set(states.slice(first))], ["connected"], "what the application has noticed");
    await talk.goesOn();
  },

  async "streams that become possible are found out beside polling"(talk) {
    await talk.page.evaluateOnNewDocument(() => {
      const { fetch } = window;
      const isClosed = (resource) => !window.healed && /\/sse$/.test(resource.url ?? resource);
      window.fetch = (resource, ...rest) =>
        isClosed(resource) ? Promise.reject(new TypeError("no")) : fetch(resource, ...rest);
    });
    await talk.open({ transports: ["sse", "polling"], trialInterval: 200 });
    equal((await talk.facts()).transport, "polling");
    await talk.page.evaluate(() => (window.healed = true));
    await Promise.all([talk.transport("sse"), talk.talk()]);
    await talk.nothingIsLost();
    await talk.goesOn();
  },

  async "what a page has met spares the next one the attempt"(talk) {
    await talk.world.do("refuse-upgrades", { status: 403 });
    await talk.open();
    const words = await talk.page.evaluate(() =>
      window.test.describe(window.test.client.diagnostics()),
    );
    ok(
      /\nwebsocket is not used: it failed after \d+ ms: .+ It needs every proxy /.test(words),
      words,
    );
    const { refused_upgrades } = await talk.world.counters();
    await talk.page.reload();
    await talk.connected();
    equal((await talk.facts()).transport, "sse");
    // Whatever wakes the page now, its verdict is fresh.
    await talk.page.evaluate(() => {
      dispatchEvent(new Event("online"));
      return window.test.client.request("echo", "still here");
    });
    equal(
      (await talk.world.counters()).refused_upgrades,
      refused_upgrades,
      "upgrades that were tried",
    );
    const found = await talk.page.evaluate(() => window.test.client.diagnostics().found);
    equal(
      found.map(({ transport }) => transport),
      ["sse", "sse"],
      "what was tried",
    );
  },
};

/** For the table of tests. */
export function healingTests(browser, control) {
  return Object.entries(healing).map(([name, tell]) => ({
    name,
    run: () => Conversation.with(browser, control, {}, tell),
  }));
}
