/** What docs/quick-start.md has to paste into a page. */

import { readFile } from "node:fs/promises";

import { ok } from "../expect.js";
import { closePage, fillPage, openPage } from "../runner/pages.mjs";
import { Conversation } from "./conversation.mjs";

const PAGE = new URL("../../../docs/quick-start.md", import.meta.url);

async function works(talk) {
  const [, snippet] = /```html\n([^]*?)```/.exec(await readFile(PAGE, "utf8"));
  // The tests have the package elsewhere.
  const html = snippet.replaceAll("/bowline-client/", "/package/");
  ok(html !== snippet, "the snippet imports the package");
  const first = await opened(talk.page, talk.world, html);
  await first.says("others who receive it: 0");
  const second = await opened(await openPage(talk.page.browser()), talk.world, html);
  await second.says("others who receive it: 1");
  await first.says("[lobby] hello");
  await closePage(second.page);
}

/** A page with this content, of the origin of the world. */
async function opened(page, world, html) {
  const lines = [];
  let check = () => {};
  page.on("console", (message) => {
    lines.push(message.text());
    check();
  });
  await page.goto(`${world.url}package/package.json`);
  await fillPage(page, html);
  const says = (line) =>
    new Promise((said) => {
      check = () => lines.includes(line) && said();
      check();
    });
  return { page, says };
}

export function quickStartTests(browser, control) {
  const run = () => Conversation.with(browser, control, {}, works);
  return [{ name: "the quick start in docs works when pasted", run }];
}
