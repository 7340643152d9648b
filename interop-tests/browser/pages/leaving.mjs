/** Pages that are left, come back, lose the network or die. Each over each transport. */

import { equal, ok, through } from "../expect.js";
import { perTransport } from "./transports.mjs";

const persist = { persist: "test-session" };

const everywhere = {
  async "a page that was offline and is back goes on"(talk, options) {
    await talk.open(options);
    await talk.talk();
    await talk.page.setOfflineMode(true);
    equal(await talk.page.evaluate(() => navigator.onLine), false, "navigator.onLine");
    await talk.talk();
    await talk.page.setOfflineMode(false);
    await talk.nothingIsLost();
    await talk.goesOn();
  },

  async "a network that breaks while the page is offline is left at once"(talk, options) {
    await talk.open(options);
    await talk.world.do("refuse-connections", { on: true });
    await talk.page.setOfflineMode(true);
    await talk.world.cut();
    await talk.talk();
    await talk.world.do("refuse-connections", { on: false });
    await talk.page.setOfflineMode(false);
    await talk.nothingIsLost();
    await talk.goesOn();
  },

  async "a session survives a reload"(talk, options) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    // Some of these are confirmed, some under way, some not sent when the page goes.
    const reloaded = talk.page.waitForNavigation();
    await talk.page.evaluate(() => {
      addEventListener("pagehide", () => window.test.sayUp(10));
      window.test.sayUp(20);
      setTimeout(() => location.reload());
    });
    talk.expectUp(30);
    await Promise.all([reloaded, talk.sayDown(20)]);
    await talk.connected();
    await talk.nothingIsLost();
    ok((await talk.facts()).status.resumed, "it resumed");
    await talk.page.reload();
    await talk.connected();
    await talk.goesOn();
  },

  async "a set-up that a reload interrupts is begun anew, and what waited for it still waits"(
    talk,
    options,
  ) {
    const hash = encodeURIComponent(JSON.stringify({ ...options, ...persist, setsUp: true }));
    await talk.page.goto(`${talk.world.url}pages/page.html#${hash}`);
    await talk.page.evaluate(async () => {
      await window.ready;
      window.test.client.connect();
    });
    const [{ session }] = await talk.world.journal((entries) =>
      entries.some(({ kind }) => kind === "connected"),
    );
    equal(await talk.world.numbers(session, 1), [1], "the set-up has begun");
    await talk.page.evaluate(() => {
      window.test.sayUp(3);
      sessionStorage.setItem("loaded anew", "soon");
      return new Promise((resolve) => setTimeout(resolve));
    });
    await talk.page.reload();
    await talk.connected();
    equal(
      await talk.world.numbers(session, 5),
      [1, 5, 2, 3, 4],
      "the set-up first, then what waited",
    );
    const { sessionId, stats } = await talk.facts();
    equal([sessionId, stats.sessionsLost], [session, 0]);
  },

  async "what was withdrawn is stored no more"(talk, options) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    await talk.world.do("refuse-connections", { on: true });
    await talk.world.cut();
    const { sent, lines } = await talk.page.evaluate(withdraw);
    equal(sent, [false, false]);
    equal(
      lines.slice(-6),
      through(6).map((number) => `e up ${20 + number}`),
    );
    ok(
      lines.every((line) => line.startsWith("e up ")),
      `${lines}`,
    );
    talk.expectUp(6);
    await talk.world.do("refuse-connections", { on: false });
    await talk.nothingIsLost();
    await talk.page.reload();
    await talk.connected();
    await talk.goesOn();
  },

  async "a page without the option begins anew after a reload"(talk, options) {
    await talk.open(options);
    const before = talk.session;
    await talk.page.reload();
    await talk.connected();
    const { sessionId, status } = await talk.facts();
    ok(sessionId !== before && !status.resumed, "another session");
  },

  async "a page that is left and returned to goes on"(talk, options) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.page.goto("about:blank");
    await talk.sayDown(20);
    await talk.page.goBack();
    await talk.connected();
    await talk.nothingIsLost();
    await talk.goesOn();
  },
};

/**
 * Runs in the page: what is stored after two requests among six events ended without having been
 * sent.
 */
async function withdraw() {
  const { client, sayUp, state } = window.test;
  const numbers = () =>
    Object.keys(sessionStorage)
      .map((name) => +name.split("test-session.")[1])
      .filter(Boolean);
  await Promise.race([state("connecting"), state("waiting")]);
  const abort = new AbortController();
  sayUp(2);
  const ended = [{ timeout: 20 }, { signal: abort.signal }].map((how) =>
    client.request("up", 1e6, how).catch((error) => error.sent),
  );
  sayUp(3);
  abort.abort();
  const sent = await Promise.all(ended);
  sayUp(1);
  await new Promise((resolve) => setTimeout(resolve));
  return {
    sent,
    lines: numbers()
      .sort((a, b) => a - b)
      .map((number) => sessionStorage[`test-session.${number}`]),
  };
}

/**
 * Firefox keeps no page in its cache that had a connection open when it was left; there the page is
 * loaded again, as above. How it crashes cannot be said through WebDriver BiDi.
 */
const chromiumOnly = {
  async "the back/forward cache takes the page, and it resumes from there"(talk, options) {
    await talk.open(options);
    await talk.talk();
    await talk.page.goto(`${talk.world.url}pages/stage.html`);
    await talk.sayDown(20);
    await talk.page.goBack();
    equal(await talk.page.evaluate(() => window.test.shows.at(-1)), true, "event.persisted");
    await talk.connected();
    await talk.nothingIsLost();
    await talk.goesOn();
  },

  async "a tab that crashed goes on when it is loaded again"(talk, options) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    const session = await talk.page.createCDPSession();
    session.send("Page.crash").catch(() => {});
    await new Promise((resolve) => talk.page.once("error", resolve));
    await talk.sayDown(20);
    await talk.page.reload();
    await talk.connected();
    await talk.nothingIsLost();
    await talk.goesOn();
  },
};

export function leavingTests(kind, browser, control) {
  const tests = kind === "chromium" ? { ...everywhere, ...chromiumOnly } : everywhere;
  return perTransport(tests, {}, browser, control);
}
