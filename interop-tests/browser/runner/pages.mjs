/**
 * Opens and closes pages one after another: Firefox mistakes pages for each other that are opened and closed at the
 * same time. Each has a deadline, so that a browser that lost one keeps only one test from ending.
 */

import { within } from "./report.mjs";

/** A new page. */
export function openPage(browser) {
  return inTurn(() => browser.newPage());
}

/** Resolves when the page is gone. */
export function closePage(page, options) {
  return inTurn(async () => {
    if (page.isClosed()) return;
    const gone = new Promise((resolve) => page.once("close", resolve));
    await Promise.all([gone, page.close(options)]);
  });
}

function inTurn(act) {
  const mine = before.then(() => within(DEADLINE, act()));
  before = mine.catch(() => {});
  return mine;
}

const DEADLINE = 15_000;

let before = Promise.resolve();
