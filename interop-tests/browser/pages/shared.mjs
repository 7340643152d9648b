/** Tabs that share one session, and what becomes of it when the tab that leads does not go on. */

import { Broken, equal, ok, through } from "../expect.js";
import { closePage, hidePage, openPage } from "../runner/pages.mjs";
import { within } from "../runner/report.mjs";
import { World } from "../world.js";

/** Several tabs of one world. */
export class Tabs {
  pages = [];
  /** How many numbers each tab has said. */
  #said = [];
  #down = 0;
  /** How many events came before a tab was there. */
  #before = [];
  #gone = new Set();

  constructor(browser, world, options) {
    Object.assign(this, { browser, world, options });
  }

  static async with(browser, control, options, tell) {
    const world = await World.create(control);
    const tabs = new Tabs(browser, world, options);
    try {
      await within(DEADLINE, tell(tabs));
    } catch (error) {
      throw await tabs.#explained(error);
    } finally {
      await Promise.all(tabs.pages.map((page) => closePage(page).catch(() => {})));
      await world.end();
    }
  }

  async #explained(error) {
    const look = (page) =>
      within(
        1_000,
        page.evaluate(() => window.test?.facts()),
      ).catch((failure) => `${failure}`);
    const facts = await Promise.all(this.pages.map(look));
    const words = error instanceof Broken ? error.message : `${error?.stack ?? error}`;
    return new Broken([words, ...facts.map((fact) => JSON.stringify(fact))].join("\n"));
  }

  /** Opens so many tabs, one after another: the first one leads. */
  async open(count) {
    for (let left = count; left > 0; left -= 1) await this.#openOne();
    this.session = (await this.facts(this.present[0])).sessionId;
  }

  async #openOne() {
    const tab = this.pages.length;
    const page = await openPage(this.browser);
    this.pages.push(page);
    this.#said.push(0);
    this.#before.push(this.#down);
    await page.goto(this.address(tab));
    await this.connected(tab);
  }

  address(tab) {
    const hash = encodeURIComponent(JSON.stringify({ ...this.options, base: tab * MILLION }));
    return `${this.world.url}pages/shared.html#${hash}`;
  }

  connected(tab) {
    return this.pages[tab].evaluate(async () => {
      await window.ready;
      await window.test.client.connect();
    });
  }

  get present() {
    return [...this.pages.keys()].filter((tab) => !this.#gone.has(tab));
  }

  facts(tab) {
    return this.pages[tab].evaluate(() => window.test.facts());
  }

  /** Every present tab and the server say so many numbers. */
  async talk(count = 20) {
    await Promise.all([...this.present.map((tab) => this.say(tab, count)), this.sayDown(count)]);
  }

  async say(tab, count) {
    this.#said[tab] += count;
    await this.pages[tab].evaluate((count) => window.test.say(count), count);
  }

  async sayDown(count) {
    const from = this.#down + 1;
    this.#down += count;
    await this.world.emitDown(this.session, from, this.#down);
  }

  /** The tab is no more, and neither is what it had not said yet. */
  async without(tab, end) {
    this.#gone.add(tab);
    await end(this.pages[tab]);
  }

  /**
   * All that was said has arrived once and in order, in the one session; nothing is settled twice.
   */
  async nothingIsLost() {
    for (const tab of this.present) await this.#hasHeard(tab);
    const all = this.present.reduce((sum, tab) => sum + this.#said[tab], 0);
    const of = (numbers, tab) =>
      numbers.filter((number) => Math.floor((number - 1) / MILLION) === tab);
    const present = (entries) =>
      entries.filter(({ kind, number }) => kind === "up" && !this.#isOfGone(number));
    const entries = await this.world.journal((entries) => present(entries).length >= all);
    const numbers = entries.filter(({ kind }) => kind === "up").map(({ number }) => number - 0);
    for (const tab of this.pages.keys()) {
      const own = of(numbers, tab).map((number) => number - tab * MILLION);
      const count = this.#gone.has(tab) ? own.length : this.#said[tab];
      equal(own, through(count), `what the server received from tab ${tab}`);
    }
    equal(entries.filter(({ kind }) => kind === "connected").length, 1, "sessions");
    equal(
      entries.filter(({ kind }) => kind === "disconnected"),
      [],
      "sessions that ended",
    );
  }

  #isOfGone(number) {
    return this.#gone.has(Math.floor((number - 1) / MILLION));
  }

  async #hasHeard(tab) {
    const page = this.pages[tab];
    const downs = await page.evaluate(
      (count) => window.test.downs(count),
      this.#down - this.#before[tab],
    );
    equal(downs, through(this.#down).slice(this.#before[tab]), `what tab ${tab} heard`);
    const asked = through(this.#said[tab])
      .filter((number) => number % 2 === 0)
      .map((number) => tab * MILLION + number);
    const settled = await page.evaluate((count) => window.test.requests(count), asked.length);
    equal(settled, asked, `the requests of tab ${tab}`);
    const { sessionId, stats } = await this.facts(tab);
    equal([sessionId, stats.sessionsLost], [this.session, 0], `the session of tab ${tab}`);
  }

  /** The tab is gone in the midst of talk, with requests on their way. */
  async goesOnWithout(tab, end) {
    await this.talk();
    await this.world.do("delay", { each_way: 60, jitter: 20 });
    const others = this.present.filter((other) => other !== tab);
    // What it has said so far arrives; what it says from now on may be lost with it.
    const last = this.pages[tab].evaluate(() => void window.test.say(500)).catch(() => {});
    const talk = Promise.all([...others.map((other) => this.say(other, 100)), this.sayDown(100)]);
    talk.catch(() => {});
    await this.world.journal((entries) => entries.length > 100);
    await this.without(tab, end);
    await Promise.all([talk, this.sayDown(50), last]);
    await this.world.do("delay", { each_way: 0, jitter: 0 });
    await this.nothingIsLost();
    await this.talk();
    await this.nothingIsLost();
  }
}

const everywhere = {
  async "tabs share one session"(tabs) {
    await tabs.open(3);
    await tabs.talk(50);
    await tabs.nothingIsLost();
    for (const tab of tabs.present) {
      const { status, transport, rtt } = await tabs.facts(tab);
      equal([status.state, transport], ["connected", tabs.options.transports[0]], `tab ${tab}`);
      ok((await tabs.pages[tab].evaluate(() => window.test.client.ping())) >= 0, "a round trip");
      ok(rtt >= 0, "the last round trip is known");
    }
  },

  async "the leading tab is closed, and nothing is lost"(tabs) {
    await tabs.open(3);
    await tabs.goesOnWithout(0, closePage);
    await tabs.goesOnWithout(1, closePage);
  },

  async "the leading tab goes elsewhere, and nothing is lost"(tabs) {
    await tabs.open(3);
    await tabs.goesOnWithout(0, (page) => page.goto("about:blank"));
  },

  async "the leading client is closed, after which everything it had said arrives"(tabs) {
    await tabs.open(2);
    await tabs.talk();
    await tabs.say(0, 0);
    const state = await tabs.pages[0].evaluate(async () => {
      window.test.say(4);
      await window.test.client.close();
      return window.test.client.status;
    });
    equal(state, { state: "closed", code: 1000 });
    const fromFirst = (entries) =>
      entries.filter(({ kind, number }) => kind === "up" && number < MILLION);
    const entries = await tabs.world.journal((entries) => fromFirst(entries).length >= 24);
    equal(
      fromFirst(entries).map(({ number }) => number),
      through(24),
    );
    await tabs.without(0, () => {});
    await tabs.talk();
    await tabs.nothingIsLost();
  },

  async "a tab that is opened later hears what is said from then on"(tabs) {
    await tabs.open(2);
    await tabs.talk();
    await tabs.nothingIsLost();
    await tabs.open(1);
    await tabs.talk();
    await tabs.nothingIsLost();
    await tabs.goesOnWithout(0, closePage);
  },

  async "the session ends with the last tab"(tabs) {
    await tabs.open(3);
    await tabs.talk();
    await tabs.nothingIsLost();
    const ends = (entries) => entries.filter(({ kind }) => kind === "disconnected");
    await tabs.pages[0].evaluate(() => window.test.client.close());
    await closePage(tabs.pages[2], { runBeforeUnload: true });
    await tabs.pages[1].evaluate(() => window.test.client.request("echo", "still here"));
    equal(ends(await tabs.world.journal()), [], "sessions that ended");
    await tabs.pages[1].evaluate(() => window.test.client.close());
    const [{ code }] = ends(await tabs.world.journal((entries) => ends(entries).length > 0));
    equal(code, 1000);
  },

  async "a request of the server is answered by one tab that can"(tabs) {
    await tabs.open(3);
    const ask = (tab) =>
      tabs.pages[tab].evaluate(() =>
        window.test.client.request("ask-back", 21).catch((error) => error.code),
      );
    equal(await ask(0), "no-answer");
    for (const tab of [2, 1, 0]) {
      await tabs.pages[tab].evaluate(() => window.test.handle());
      equal(await ask(1), 42);
    }
    const handled = await Promise.all(
      tabs.pages.map((page) => page.evaluate(() => window.test.handled)),
    );
    equal(
      handled.reduce((sum, count) => sum + count, 0),
      3,
      "times that a handler ran",
    );
    equal(handled[0], 1, "the leading tab comes first");
  },

  async "a request whose tab dies before it answers is answered by another"(tabs) {
    await tabs.open(3);
    await tabs.pages[0].evaluate(() => window.test.handleInVain());
    await tabs.pages[2].evaluate(() => window.test.handle());
    const answer = tabs.pages[1].evaluate(() => window.test.client.request("ask-back", 21));
    await tabs.pages[0].evaluate(() => window.test.handledOnce());
    await tabs.without(0, closePage);
    equal(await answer, 42);
  },

  async "every tab is told of a lost session and goes on with the next"(tabs) {
    await tabs.open(3);
    await tabs.talk();
    await tabs.nothingIsLost();
    const hang = (page) =>
      page.evaluate(() => {
        window.hanging = window.test.client.request("hang").catch((error) => error.code);
      });
    await Promise.all(tabs.pages.map(hang));
    // One that the server had not received would go on in the next session, and hold that up.
    const received = () => window.test.client.stats.inFlight === 0;
    for (const page of tabs.pages) await page.waitForFunction(received, { polling: 20 });
    await tabs.world.do("restart");
    for (const page of tabs.pages) {
      await page.evaluate(() => window.test.sawState("session-lost"));
      equal(await page.evaluate(() => window.hanging), "session-lost");
      equal(await page.evaluate(() => window.test.client.request("echo", "again")), "again");
    }
    const ids = await Promise.all(
      tabs.present.map(async (tab) => (await tabs.facts(tab)).sessionId),
    );
    equal(new Set(ids).size, 1, "sessions of the tabs");
    ok(ids[0] !== tabs.session, "another session");
  },
};

const chromiumOnly = {
  async "the leading tab crashes, and nothing is lost"(tabs) {
    await tabs.open(3);
    await tabs.goesOnWithout(0, crash);
    await tabs.goesOnWithout(1, crash);
  },

  async "a tab that follows crashes, and the others go on"(tabs) {
    await tabs.open(3);
    await tabs.goesOnWithout(2, crash);
  },
};

/** Seven streams are one more than a browser opens to a host. */
const streams = {
  async "seven tabs go on over one stream"(tabs) {
    await tabs.open(7);
    await tabs.talk();
    await tabs.nothingIsLost();
  },
};

/**
 * A stream ends its connection (`Connection: close`), and Firefox does not always count such a one
 * among its six.
 */
const oneTooMany = {
  async "seven ordinary clients are one stream too many"(tabs) {
    tabs.options.plain = true;
    await tabs.open(6);
    const page = await openPage(tabs.browser);
    tabs.pages.push(page);
    const loaded = page.goto(tabs.address(6)).then(
      () => true,
      () => true,
    );
    // What a tab that loads needs for this is not a tenth of it.
    equal(
      await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 3_000, false))]),
      false,
      "the seventh loads",
    );
  },
};

const hidden = {
  async "the leading tab is frozen, another leads, and it hears all that was said when it is back"(
    tabs,
  ) {
    await tabs.open(3);
    await tabs.talk();
    await hidePage(tabs.pages[0]);
    const frozen = await tabs.pages[0].createCDPSession();
    await tabs.world.do("delay", { each_way: 60, jitter: 20 });
    const talk = tabs.present.map((tab) => tabs.say(tab, 100));
    Promise.all(talk).catch(() => {});
    await tabs.world.journal((entries) => entries.length > 100);
    await frozen.send("Page.setWebLifecycleState", { state: "frozen" });
    await tabs.sayDown(50);
    await Promise.all(talk.slice(1));
    await tabs.pages[1].evaluate(() => window.test.client.request("echo", "led by another"));
    await tabs.sayDown(50);
    await frozen.send("Page.setWebLifecycleState", { state: "active" });
    await talk[0];
    await tabs.world.do("delay", { each_way: 0, jitter: 0 });
    await tabs.nothingIsLost();
    await tabs.goesOnWithout(1, closePage);
  },

  async "a frozen tab that follows hears all that was said when it is back"(tabs) {
    await tabs.open(3);
    await hidePage(tabs.pages[2]);
    const frozen = await tabs.pages[2].createCDPSession();
    await frozen.send("Page.setWebLifecycleState", { state: "frozen" });
    await Promise.all([tabs.say(0, 20), tabs.say(1, 20), tabs.sayDown(50)]);
    await tabs.pages[0].evaluate(() => window.test.client.close());
    await tabs.pages[1].evaluate(() => window.test.client.request("echo", "led by another"));
    await tabs.sayDown(50);
    await frozen.send("Page.setWebLifecycleState", { state: "active" });
    await tabs.without(0, () => {});
    await tabs.talk();
    await tabs.nothingIsLost();
  },
};

/** One transport is enough: what is tested lies between the tabs. */
const between = {
  async "what the next leader receives again the other tabs do not hear again"(tabs) {
    await tabs.open(3);
    await tabs.talk();
    await tabs.nothingIsLost();
    // The second tab learns late what the first one says, and the server not at all that it has
    // come.
    await tabs.pages[1].evaluate(() => {
      window.test.lag(600);
    });
    await tabs.world.do("mute", { direction: "up" });
    await tabs.sayDown(10);
    await tabs.pages[2].evaluate(() => window.test.downs(30));
    await tabs.without(0, crash);
    await tabs.world.do("mute");
    await tabs.world.cut();
    await tabs.talk();
    await tabs.nothingIsLost();
  },
};

async function crash(page) {
  const session = await page.createCDPSession();
  const crashed = new Promise((resolve) => page.once("error", resolve));
  session.send("Page.crash").catch(() => {});
  await crashed;
}

function perTransport(tests, transports, browser, control) {
  return Object.entries(tests).flatMap(([name, tell]) =>
    transports.map((transport) => ({
      name: `${name}, over ${transport}`,
      run: () => Tabs.with(browser, control, { transports: [transport] }, tell),
    })),
  );
}

export function sharedTests(kind, browser, control) {
  const all = ["websocket", "sse", "polling"];
  const isChromium = kind === "chromium";
  const tests = isChromium ? { ...everywhere, ...chromiumOnly } : everywhere;
  return [
    ...perTransport(tests, all, browser, control),
    ...perTransport(
      isChromium ? { ...streams, ...oneTooMany } : streams,
      ["sse"],
      browser,
      control,
    ),
    ...perTransport(isChromium ? between : {}, ["websocket"], browser, control),
  ];
}

/** For a browser that treats hidden pages as on a desk. */
export function frozenTests(browser, control) {
  return perTransport(hidden, ["websocket", "sse", "polling"], browser, control);
}

const MILLION = 1_000_000;
const DEADLINE = 50_000;
