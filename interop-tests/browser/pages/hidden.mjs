/** Pages in the background of a browser that saves energy as on a desk. Chromium only. */

import { equal, ok } from "../expect.js";
import { hidePage } from "../runner/pages.mjs";
import { perTransport } from "./transports.mjs";

const short = { heartbeat: 700, grace: 700 };

const tests = {
  async "a hidden page with slow timers answers every heartbeat"(talk, options) {
    await talk.open(options);
    await hidePage(talk.page);
    const before = await talk.world.counters();
    // What the page sends while it says nothing are answers to heartbeats.
    await talk.page.evaluate(countTicks);
    await talk.world.counters({ bytes_up: before.bytes_up + 8 * answerSize(options) });
    const ticks = await talk.page.evaluate(() => window.ticks);
    ok(ticks < 15, `timers of the page were not slowed down: ${ticks} ticks`);
    const { stats } = await talk.facts();
    equal([stats.reconnects, stats.resumes], [0, 0], "reconnects");
    await talk.goesOn();
    equal((await talk.facts()).stats.reconnects, 0, "reconnects");
  },

  async "a page that was frozen for several heartbeats resumes"(talk, options) {
    await talk.open(options);
    await talk.talk();
    await talk.nothingIsLost();
    await hidePage(talk.page);
    const session = await talk.page.createCDPSession();
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await talk.sayDown(20);
    // Nothing tells when a page has slept for long; time is what this is about.
    await new Promise((awake) => setTimeout(awake, 4 * (short.heartbeat + short.grace)));
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await talk.sayUp(20);
    await talk.nothingIsLost();
    await talk.goesOn();
  },
};

/** Ten a second, if nothing slows them down. */
function countTicks() {
  window.ticks = 0;
  setInterval(() => {
    window.ticks += 1;
  }, 100);
}

/** Bytes of an answer to a heartbeat at least: a masked frame, or a request. */
function answerSize({ transports: [transport] }) {
  return transport === "websocket" ? 7 : 200;
}

export function hiddenTests(browser, control) {
  return perTransport(tests, short, browser, control);
}
