/**
 * Two pages with one stored session: tabs that were duplicated, or that share a storage. Each over
 * each transport.
 */

import { equal, ok } from "../expect.js";
import { closePage, openPage } from "../runner/pages.mjs";
import { perTransport } from "./transports.mjs";

const persist = { persist: "test-session" };

const tests = {
  async "one writer: a tab that was duplicated has the session, and the first one is told and has another"(
    talk,
    options,
  ) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    await withCopy(talk, await storedBy(talk.page), async (copy) => {
      const first = talk.page;
      await connected(copy);
      const lost = await sessionLost(first);
      equal([lost.code, lost.confirmed + lost.unknown], [4105, 20], "what the first tab is told");
      await connected(first);
      await eachHasItsOwn(talk, first, copy, 1);
      // A page that is loaded again goes on with the session that is its own.
      for (const page of [first, copy]) {
        await page.reload();
        await connected(page);
        ok((await facts(page)).status.resumed, "it resumed");
      }
      await eachHasItsOwn(talk, first, copy, 2);
      for (const page of [first, copy]) {
        const { stats, transport } = await facts(page);
        equal([stats.sessionsLost, transport], [0, options.transports[0]], "after the reload");
      }
    });
  },

  async "one writer: what a tab had not sent when it was duplicated is sent once"(talk, options) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    const { page: first, world } = talk;
    await world.do("refuse-connections", { on: true });
    await world.cut();
    await say(first, [101, 102, 103]);
    const stored = await storedBy(first);
    await first.setOfflineMode(true);
    await say(first, [104, 105]);
    await world.do("refuse-connections", { on: false });
    await withCopy(talk, stored, async (copy) => {
      await connected(copy);
      await say(copy, [201]);
      await world.numbers(talk.session, 24);
      await first.setOfflineMode(false);
      const lost = await sessionLost(first);
      equal([lost.code, lost.confirmed + lost.unknown], [4105, 23], "what the first tab is told");
      await connected(first);
      const { sessionId } = await facts(first);
      equal(await world.numbers(sessionId, 2), [104, 105], "what only the first tab had");
      equal(
        (await world.numbers(talk.session, 24)).slice(20),
        [101, 102, 103, 201],
        "what both had",
      );
    });
  },

  async "one writer: a page that is loaded again after a copy has taken its session begins anew and says so"(
    talk,
    options,
  ) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    const { page: first, world } = talk;
    const stored = await storedBy(first);
    await first.goto(`${world.url}pages/stage.html`);
    await withCopy(talk, stored, async (copy) => {
      await connected(copy);
      await say(copy, [201]);
      await world.numbers(talk.session, 21);
      await first.goto(addressOf(talk));
      equal((await sessionLost(first)).code, 4105, "what the page is told");
      await connected(first);
      await eachHasItsOwn(talk, first, copy, 1);
    });
  },

  async "one writer: a page whose session was lost goes on with the next one when it is loaded again"(
    talk,
    options,
  ) {
    await talk.open({ ...options, ...persist });
    await talk.talk();
    await talk.nothingIsLost();
    const { page, world } = talk;
    await world.do("refuse-connections", { on: true });
    await world.cut();
    await page.waitForFunction(() => window.test.client.status.state !== "connected");
    await world.do("restart");
    // They go out beside the open of the next session, whose welcome then may confirm some of them.
    await say(page, [101, 102]);
    await world.do("refuse-connections", { on: false });
    equal((await sessionLost(page)).code, 4101, "what the page is told");
    await connected(page);
    const { sessionId } = await facts(page);
    equal(await world.numbers(sessionId, 2), [101, 102], "what waited");
    await say(page, [103]);
    await world.numbers(sessionId, 3);
    await page.reload();
    await connected(page);
    const { status, sessionId: after } = await facts(page);
    equal([status.resumed, after], [true, sessionId], "after the reload");
    await say(page, [104]);
    equal(await world.numbers(sessionId, 4), [101, 102, 103, 104], "all of it");
  },

  async "one writer: tabs that share a storage have a session each, and the last one is kept"(
    talk,
    options,
  ) {
    await talk.open({ ...options, ...persist, storage: "localStorage" });
    await talk.talk();
    await talk.nothingIsLost();
    await withCopy(talk, {}, async (copy) => {
      const first = talk.page;
      await connected(copy);
      await sessionLost(first);
      await connected(first);
      await eachHasItsOwn(talk, first, copy, 1);
      await copy.reload();
      await connected(copy);
      ok((await facts(copy)).status.resumed, "it resumed");
      equal((await facts(first)).stats.sessionsLost, 1, "sessions that the first tab has lost");
      await eachHasItsOwn(talk, first, copy, 2);
    });
  },

  async "one writer: a second client of a page cannot have the same store, but has it once the first is closed"(
    talk,
    options,
  ) {
    await talk.open({ ...options, ...persist });
    const { page } = talk;
    const outcome = await page.evaluate(async (options) => {
      const { Client } = await import("/package/index.js");
      const { sessionStore } = await import("/package/store.js");
      const make = () =>
        new Client("/bowline", { ...options, store: sessionStore("test-session") });
      let code;
      try {
        make();
      } catch (error) {
        code = error.code;
      }
      // As React does in its strict mode: nobody waits for the end of the first.
      window.test.client.close();
      const second = make();
      await second.connect();
      await second.request("echo", 1).catch(() => {});
      return { code, sessionId: second.sessionId, lost: second.stats.sessionsLost };
    }, options);
    equal([outcome.code, outcome.lost], ["invalid-option", 0], "the second client");
    ok(outcome.sessionId !== talk.session, "another session");
  },
};

/**
 * A tab of the same origin whose session storage is a copy, as browsers make it when a tab is
 * duplicated.
 */
async function withCopy(talk, stored, tell) {
  const copy = await openPage(talk.page.browser());
  try {
    await copy.goto(`${talk.world.url}pages/stage.html`);
    await copy.evaluate((stored) => Object.assign(sessionStorage, stored), stored);
    await copy.goto(addressOf(talk));
    await tell(copy);
  } finally {
    await closePage(copy).catch(() => {});
  }
}

const storedBy = (page) => page.evaluate(() => ({ ...sessionStorage }));
const facts = (page) => page.evaluate(() => window.test.facts());
const addressOf = (talk) => talk.address;
const say = (page, numbers) =>
  page.evaluate(
    (numbers) => numbers.forEach((number) => window.test.client.emit("up", number)),
    numbers,
  );

const connected = (page) =>
  page.evaluate(async () => {
    await window.ready;
    await window.test.client.connect();
  });

const sessionLost = (page) =>
  page.evaluate(async () => {
    await window.ready;
    window.test.client.connect();
    return window.test.lost();
  });

/** What each of both says arrives, in its own session; nobody takes the other's away. */
async function eachHasItsOwn(talk, first, copy, round) {
  const sessions = [];
  for (const [page, base] of [
    [first, 1000 * round],
    [copy, 5000 * round],
  ]) {
    const numbers = [base + 1, base + 2, base + 3];
    await say(page, numbers);
    const { sessionId } = await facts(page);
    sessions.push(sessionId);
    const all = await talk.world.journal((entries) =>
      numbers.every((number) => has(entries, sessionId, number)),
    );
    for (const number of numbers)
      equal(all.filter((entry) => says(entry, number)).length, 1, `${number} arrived`);
  }
  ok(sessions[0] !== sessions[1], "two sessions");
  equal(sessions[1], talk.session, "the copy has the first session");
}

const says = ({ kind, number }, wanted) => kind === "up" && number - 0 === wanted;
const has = (entries, session, number) =>
  entries.some((entry) => entry.session === session && says(entry, number));

export function copyTests(browser, control) {
  return perTransport(tests, {}, browser, control);
}
