/**
 * Opens, fills and closes pages one after another. Firefox mistakes pages for each other that are
 * opened and closed at the same time, and one that is opened waits to hear that the page in front
 * is hidden: for ever, if that is emptied meanwhile, which takes its listeners away. Each has a
 * deadline, so that a page that is lost ends only one test.
 */

import { within } from "./report.mjs";

/** A new page. */
export function openPage(browser) {
  return inTurn(() => browser.newPage());
}

/** Gives the page another content. */
export function fillPage(page, html) {
  return inTurn(() => page.setContent(html));
}

/** Resolves when the page is gone. */
export function closePage(page, options) {
  return inTurn(async () => {
    if (page.isClosed()) return;
    const gone = new Promise((resolve) => page.once("close", resolve));
    await Promise.all([gone, page.close(options)]);
  });
}

/** Puts another page in front, for as long as this one is there. Chromium only. */
export async function hidePage(page) {
  const session = await page.createCDPSession();
  await session.send("Emulation.setFocusEmulationEnabled", { enabled: false });
  const front = await openPage(page.browser());
  await front.bringToFront();
  await page.waitForFunction(() => document.hidden, { polling: 100 });
  page.once("close", () => closePage(front).catch(() => {}));
}

function inTurn(act) {
  const mine = before.then(() => within(DEADLINE, act()));
  before = mine.catch(() => {});
  return mine;
}

const DEADLINE = 15_000;

let before = Promise.resolve();
