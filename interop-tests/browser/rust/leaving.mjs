/** The application's page is left, comes back or loses the network. Each over each transport. */

import { equal, ok, through } from "../expect.js";
import { World } from "../world.js";
import { open } from "./open.mjs";

const everywhere = {
  async "a network that breaks while the page is offline is left at once"(talk) {
    await talk.world.do("refuse-connections", { on: true });
    await talk.page.setOfflineMode(true);
    await talk.world.cut();
    await talk.say();
    await talk.world.do("refuse-connections", { on: false });
    await talk.page.setOfflineMode(false);
    await talk.nothingIsLost();
  },
};

const chromiumOnly = {
  // Firefox ends all of a page's connections before it tells the page.
  async "a page that is left for good says good-bye"(talk) {
    await talk.say();
    await talk.nothingIsLost();
    // Keeps the page out of the back/forward cache.
    await talk.page.evaluate(() => addEventListener("unload", () => {}));
    await talk.page.goto("about:blank");
    const gone = ({ kind }) => kind === "disconnected";
    const entries = await talk.world.journal((entries) => entries.some(gone));
    equal(entries.find(gone).code, 1000);
  },

  async "the back/forward cache takes the page, and it resumes from there"(talk) {
    await talk.say();
    await talk.page.goto(`${talk.world.url}pages/stage.html`);
    await talk.world.emitDown(talk.session, talk.down + 1, talk.down + 20);
    talk.down += 20;
    await talk.page.goBack();
    equal(await talk.page.evaluate(() => window.test.persisted), true, "event.persisted");
    await talk.nothingIsLost();
    await talk.say();
    await talk.nothingIsLost();
  },
};

class Talk {
  up = 0;
  down = 0;
  #received = [];

  static async with(browser, control, transport, tell) {
    const world = await World.create(control);
    const page = await browser.newPage();
    try {
      const talk = new Talk();
      Object.assign(talk, { world, page });
      await open(page, world.url);
      talk.session = await page.evaluate(
        (...words) => window.test.talk(...words),
        transport,
        world.seed,
      );
      await tell(talk);
    } catch (error) {
      const look = () => page.evaluate(() => window.talk?.situation());
      error.message += `\n${await look().catch((failure) => `${failure}`)}`;
      throw error;
    } finally {
      await page.close().catch(() => {});
      await world.end();
    }
  }

  /** Twenty numbers each way. */
  async say() {
    this.up = await this.page.evaluate(() => window.talk.sayUp(20));
    await this.world.emitDown(this.session, this.down + 1, this.down + 20);
    this.down += 20;
  }

  /** Everything said so far arrives once and in order. */
  async nothingIsLost() {
    const missing = this.down - this.#received.length;
    const taken = await this.page.evaluate((count) => window.talk.downs(count), missing);
    this.#received.push(...JSON.parse(taken));
    equal(this.#received, through(this.down), "what the page received");
    equal(
      await this.world.numbers(this.session, this.up),
      through(this.up),
      "what the server received",
    );
    const ends = (await this.world.journal()).filter(({ kind }) => kind === "disconnected");
    ok(ends.length === 0, "the session ended");
  }
}

export function leavingTests(kind, browser, control, transports) {
  const tests = kind === "chromium" ? { ...everywhere, ...chromiumOnly } : everywhere;
  return Object.entries(tests).flatMap(([name, tell]) =>
    transports.map((transport) => ({
      name: `${name}, over ${transport}`,
      run: () => Talk.with(browser, control, transport, tell),
    })),
  );
}
