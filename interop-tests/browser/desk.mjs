/**
 * `node desk.mjs --package DIR --desk-binary PATH [--browser chromium|firefox] [--modules DIR]
 * [--filter TEXT]`: uses the support desk as a customer and an agent would, over every transport
 * and over HTTP/2, and prints `N passed, N failed`. With `BOWLINE_PICTURES` it also leaves pictures
 * of the page in that folder.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { Broken, equal, ok } from "./expect.js";
import { parse } from "./runner/arguments.mjs";
import { withBrowser } from "./runner/launch.mjs";
import { Report, within } from "./runner/report.mjs";

const DESK = { width: 1280, height: 800 };
const PATIENCE = 15_000;
const PHONE = { width: 390, height: 844 };

const options = parse(
  process.argv.slice(2),
  ["package", "desk-binary"],
  ["browser", "modules", "filter"],
);
const kind = options.browser ?? "chromium";
const modules = resolve(options.modules ?? ".", "package.json");
const { default: puppeteer } = await import(createRequire(modules).resolve("puppeteer-core"));
const report = new Report(kind);
const host = spawn(options["desk-binary"], [resolve(options.package)], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [line] = await within(10_000, once(createInterface(host.stdout), "line"));
  const places = Object.entries(JSON.parse(line));
  await withBrowser(puppeteer, kind, async (browser) => {
    const tests = places.flatMap(([place, url]) =>
      ["websocket", "sse", "polling"].map((transport) => ({
        name: `the support desk, over ${transport}${place === "secure" ? " and HTTP/2" : ""}`,
        run: () => visit(browser, url, transport),
      })),
    );
    // One after another: they speak about the same tickets.
    await report.run(
      tests.filter(({ name }) => name.includes(options.filter ?? "")),
      1,
    );
  });
} catch (error) {
  console.log(`FAIL ${kind}: the run itself\n${error?.stack ?? error}`);
  report.failed += 1;
} finally {
  host.kill();
}
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed > 0 || (report.passed === 0 && !options.filter) ? 1 : 0);

async function visit(browser, url, transport) {
  const words = `the sheet slips again, over ${transport} to ${new URL(url).protocol}`;
  const ada = await enter(browser, url, transport, "ada", DESK);
  const tickets = () =>
    ada.$$eval("[data-ticket]", (all) => all.map(({ dataset }) => dataset.ticket));
  equal(await tickets(), ["1", "3"], "what a customer sees");
  await open(ada, 1);
  await say(ada, words);
  await seen(ada, "#lines li:last-child", words);

  // Who comes later finds what was said, and everyone sees who is there.
  const cleo = await enter(browser, url, transport, "cleo", PHONE);
  await open(cleo, 1);
  await seen(cleo, "#lines li:last-child", words);
  await seen(ada, "#people", "cleo");
  await cleo.type("#text", "How ");
  await seen(ada, "#typing", "cleo is typing");
  await say(cleo, "many turns?");
  await seen(ada, "#lines li:last-child", "How many turns?");
  await picture(ada, `${transport}-desk`);
  await picture(cleo, `${transport}-phone`);
  const wide = await cleo.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  ok(wide <= 0, `on a phone ${wide} px are cut off`);

  // A file goes up and down.
  const input = await ada.$("#file");
  await input.uploadFile(process.argv[1]);
  await seen(cleo, "#lines li:last-child", "desk.mjs,");
  const [size, text] = await cleo.evaluate(async () => {
    const saved = new Promise((resolve) => {
      URL.createObjectURL = (blob) => (resolve(blob.text()), "#");
    });
    document.querySelector("#lines li:last-child button").click();
    const text = await saved;
    return [text.length, text.slice(0, 3)];
  });
  equal([size > 4000, text], [true, "/**"], "the file that cleo has read");

  await press(cleo, "#people", "Probe");
  await seen(cleo, "#typing", "answered in");
  await press(cleo, "#people", "Send away");
  await seen(ada, "#told", "cleo has ended this conversation");
  await left(cleo, "ada");

  // A logout ends every tab of the user; the cookie is gone with it.
  const ben = await enter(browser, url, transport, "ben", DESK);
  const other = await ben.browserContext().newPage();
  await other.goto(`${url}/?transport=${transport}`);
  await other.waitForSelector('#connection[data-state="connected"]');
  await ben.bringToFront();
  await ben.click("#logout");
  for (const page of [ben, other]) await seen(page, "#told", "logged out");
  equal(await ben.evaluate(async () => (await fetch("/me")).status), 401, "who is logged in");
  for (const page of [ada, cleo, ben]) await page.browserContext().close();
}

/** A browser of their own, logged in and connected. */
async function enter(browser, url, transport, name, viewport) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  await page.goto(`${url}/?transport=${transport}`);
  await page.waitForSelector("#name");
  await page.type("#name", name);
  await page.type("#password", "knot");
  await page.click("#login button");
  await page.waitForSelector('#connection[data-state="connected"]');
  await seen(page, "#connection", transport);
  await page.waitForSelector("[data-ticket]");
  return page;
}

async function open(page, ticket) {
  await page.click(`[data-ticket="${ticket}"]`);
  await page.waitForFunction(() => document.activeElement.id === "text");
}

async function say(page, words) {
  await page.type("#text", words);
  await page.keyboard.press("Enter");
}

async function press(page, place, name) {
  await page.waitForFunction(
    (place, name) => {
      const button = [...document.querySelectorAll(`${place} button`)].find(
        ({ textContent }) => textContent === name,
      );
      button?.click();
      return button !== undefined;
    },
    {},
    place,
    name,
  );
}

/** The words appear there. */
async function seen(page, place, words) {
  const holds = (place, words) => document.querySelector(place)?.textContent.includes(words);
  await page.waitForFunction(holds, { timeout: PATIENCE }, place, words).catch(async () => {
    const [said, state, text] = await page.evaluate(
      (place) => [
        document.querySelector(place)?.textContent,
        document.getElementById("connection").textContent,
        document.body.innerText,
      ],
      place,
    );
    throw new Broken(
      `${place} has "${said}" and not "${words}", ${page.url()} is ${state}: ${text}`,
    );
  });
}

function left(page, name) {
  return page.waitForFunction(
    (name) => !document.getElementById("people").textContent.includes(name),
    {},
    name,
  );
}

async function picture(page, name) {
  const folder = process.env.BOWLINE_PICTURES;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}
