/**
 * `node demo.mjs --package DIR --demo-binary PATH [--browser chromium|firefox] [--modules DIR]
 * [--filter TEXT]`: uses the demo as two people would, and prints `N passed, N failed`.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { parse } from "./runner/arguments.mjs";
import { withBrowser } from "./runner/launch.mjs";
import { Report, within } from "./runner/report.mjs";

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** One red pixel. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
  "base64",
);

const options = parse(
  process.argv.slice(2),
  ["package", "demo-binary"],
  ["browser", "modules", "filter"],
);
const kind = options.browser ?? "chromium";
const modules = resolve(options.modules ?? ".", "package.json");
const { default: puppeteer } = await import(createRequire(modules).resolve("puppeteer-core"));
const folder = await mkdtemp(join(tmpdir(), "bowline-demo-"));
const report = new Report(kind);
const server = spawn(options["demo-binary"], [resolve(options.package), "0"], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const address = await within(10_000, printedAddress());
  await withBrowser(puppeteer, kind, async (browser) => {
    const people = await Promise.all([
      enter(browser, address, "Ann"),
      enter(browser, address, "Ben"),
    ]);
    const tests = all(browser, address, ...people).filter(({ name }) =>
      name.includes(options.filter ?? ""),
    );
    // One after another: they share the network that they break.
    await report.run(tests, 1);
  });
} catch (error) {
  console.log(`FAIL ${kind}: the run itself\n${error?.stack ?? error}`);
  report.failed += 1;
} finally {
  server.kill();
  await rm(folder, { recursive: true });
}
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed > 0 || (report.passed === 0 && !options.filter) ? 1 : 0);

function all(browser, address, ann, ben) {
  return [
    test("a message reaches the other window, and the tick says so", () => aMessage(ann, ben)),
    test("the keyboard alone reaches everything, in order", () => theKeyboard(ann)),
    test("on a phone nothing is cut off, and the panels open and close by keyboard", () =>
      aPhone(browser, address)),
    test("Shift and Enter begins a new line", () => aNewLine(ann, ben)),
    test("a picture arrives byte for byte", () => aPicture(ann, ben)),
    test("whoever comes later sees what was said", () => aNewcomer(browser, address)),
    test("what is said while the connection is cut arrives once", () => unharmed("cut", ann, ben)),
    test("what is said while the server is mute arrives once", () => unharmed("mute", ann, ben)),
    test("without WebSocket it goes on over another transport, and back", () => refused(ann, ben)),
    test("a new version of the server goes on with every session, and nothing is lost", () =>
      deployed(ann, ben)),
    test("a reload goes on with the same session", () => reloaded(ann)),
    test("nothing comes from anywhere else, and nothing fails", () => quiet(address, ann, ben)),
  ];
}

async function aMessage(ann, ben) {
  await say(ann, "hello, Ben");
  await arrived(ben, "hello, Ben");
  await marked(ann, "hello, Ben");
}

async function theKeyboard(ann) {
  await ann.focus(".skip");
  const stops = [];
  for (let stop = ""; stop !== "body" && stops.length < 60;) {
    stop = await ann.evaluate(nameOfFocus);
    stops.push(stop);
    await ann.keyboard.press("Tab");
  }
  const wanted = [
    "Skip to the message field",
    "chart table",
    "New room",
    "Your name",
    "Attach a file or picture",
    "Message",
    "Send",
    "Refuse WebSocket",
    "Mute the stream",
    "Cut the connection",
    "Deploy a new version",
    "Polling",
  ];
  const places = wanted.map((name) => stops.findIndex((stop) => stop.startsWith(name)));
  const inOrder = places.every(
    (place, index) => place >= 0 && (index === 0 || place > places[index - 1]),
  );
  if (!inOrder) throw new Error(`the stops are ${stops.join(" | ")}`);
}

async function aPhone(browser, address) {
  const page = await enter(browser, address, "Cleo", PHONE);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  for (const [toggle, panel] of [
    ["toggle-network", "network"],
    ["toggle-side", "side"],
  ]) {
    await page.focus(`#${toggle}`);
    await page.keyboard.press("Enter");
    await page.waitForSelector(`#${panel}.open`);
    await page.keyboard.press("Tab");
    const inside = await page.evaluate(
      (panel) => document.activeElement.closest(`#${panel}`) !== null,
      panel,
    );
    const over = await overflow();
    await page.keyboard.press("Escape");
    const focus = await page.evaluate(() => document.activeElement.id);
    if (!inside || over > 0 || focus !== toggle)
      throw new Error(`${panel}: ${inside}, ${over} px, ${focus}`);
  }
  await page.browserContext().close();
}

async function aNewLine(ann, ben) {
  await ann.focus("#text");
  await ann.keyboard.type("two");
  await ann.keyboard.down("Shift");
  await ann.keyboard.press("Enter");
  await ann.keyboard.up("Shift");
  await ann.keyboard.type("lines");
  await ann.keyboard.press("Enter");
  await arrived(ben, "two\nlines");
}

async function aPicture(ann, ben) {
  const path = join(folder, "dot.png");
  await writeFile(path, PICTURE);
  await (await ann.$("#file")).uploadFile(path);
  await ann.waitForSelector("#attached:not([hidden]) img");
  await say(ann, "a dot");
  await arrived(ben, "a dot");
  const bytes = await ben.evaluate(async () => {
    const picture = document.querySelector('img[alt="dot.png"]');
    await picture.decode();
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return [picture.naturalWidth, ...canvas.getContext("2d").getImageData(0, 0, 1, 1).data];
  });
  if (`${bytes}` !== "1,255,0,0,255") throw new Error(`the picture is ${bytes}`);
  await marked(ann, "a dot");
}

async function aNewcomer(browser, address) {
  const cleo = await enter(browser, address, "Cleo");
  await arrived(cleo, "hello, Ben");
  await arrived(cleo, "a dot");
  await cleo.browserContext().close();
}

async function unharmed(fault, ann, ben) {
  await press(ann, fault);
  await ann.waitForFunction(() => document.querySelector("#faults .runs"));
  const said = await conversation(fault, ann, ben);
  await ann.waitForFunction(() => !document.querySelector("#faults .runs"));
  await Promise.all([ann, ben].map(connectedSoon));
  await onceEach(said, ann, ben);
}

async function refused(ann, ben) {
  await press(ann, "refuse-websocket");
  for (const page of [ann, ben]) {
    await page.waitForFunction(() =>
      ["SSE + POST", "Long polling"].includes(document.getElementById("state-text").textContent),
    );
  }
  await onceEach(await conversation("refused", ann, ben), ann, ben);
  await press(ann, "allow-websocket");
  await ann.waitForSelector('[data-fault="refuse-websocket"][aria-pressed="false"]');
  for (const page of [ann, ben]) {
    await overWebSocket(page);
  }
  await onceEach(await conversation("allowed", ann, ben), ann, ben);
}

async function overWebSocket(page) {
  await page.bringToFront();
  await page.click('[data-transport="websocket"]');
  await page.waitForFunction(
    () => document.getElementById("state-text").textContent === "WebSocket",
  );
}

async function deployed(ann, ben) {
  const pages = [ann, ben];
  const counts = (id) =>
    Promise.all(pages.map((page) => page.$eval(id, (count) => Number(count.textContent))));
  const [resumes, lost] = [await counts("#resumes"), await counts("#lost")];
  const transport = await ann.$eval("#state-text", (state) => state.textContent);
  await press(ann, "deploy");
  await ann.waitForFunction(() => document.querySelector("#faults .runs"));
  const said = await conversation("deployed", ann, ben);
  for (const [index, page] of pages.entries()) {
    await page.waitForFunction(
      (before) => Number(document.getElementById("resumes").textContent) > before,
      {},
      resumes[index],
    );
  }
  await ann.waitForFunction(
    (transport) => document.getElementById("state-text").textContent === transport,
    {},
    transport,
  );
  await onceEach([...said, ...(await conversation("after it", ann, ben))], ann, ben);
  const lostNow = await counts("#lost");
  if (`${lostNow}` !== `${lost}`) throw new Error(`${lost} lost sessions became ${lostNow}`);
  if (await ann.$(".told")) throw new Error(await ann.$eval(".told", (told) => told.textContent));
}

async function reloaded(ann) {
  await say(ann, "before the reload");
  await ann.waitForFunction(has, {}, "before the reload", ["server", "delivered", "seen"]);
  await ann.reload();
  await connected(ann);
  await arrived(ann, "before the reload");
  await ann.waitForFunction(() =>
    document.getElementById("log").textContent.includes("after a reload"),
  );
}

async function quiet(address, ...pages) {
  const foreign = pages
    .flatMap(({ requested }) => requested)
    .filter((url) => !url.startsWith(address) && !url.startsWith("blob:"));
  const failures = pages.flatMap(({ failures }) => failures);
  if (foreign.length + failures.length > 0) throw new Error([...foreign, ...failures].join("\n"));
}

/** Both say something now and then, for as long as most faults last. */
async function conversation(topic, ann, ben) {
  const said = [];
  for (let number = 1; number <= 3; number++) {
    for (const [from, to] of [
      [ann, ben],
      [ben, ann],
    ]) {
      const text = `${topic} ${number} of ${from.person}`;
      await say(from, text);
      said.push([from, to, text]);
    }
    await pause(700);
  }
  return said;
}

async function onceEach(said) {
  for (const [from, to, text] of said) {
    await arrived(to, text);
    await marked(from, text);
  }
}

async function say(page, text) {
  // A window in the background takes no keys in some browsers.
  await page.bringToFront();
  await page.focus("#text");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** Presses a button with the keyboard, once the effect of the last is over. */
async function press(page, fault) {
  const button = `[data-fault="${fault.replace("allow", "refuse")}"]`;
  await page.waitForSelector(`${button}:not([aria-disabled])`);
  // The server has its own clock for the effect of the last button.
  await pause(500);
  await page.bringToFront();
  await page.focus(button);
  await page.keyboard.press("Enter");
}

async function arrived(page, text) {
  await page.waitForFunction(has, {}, text);
  const number = await copies(page, text);
  if (number !== 1) throw new Error(`${page.person} sees ${number} times: ${text}`);
}

/** Waits until the author is told that somebody else has the message. */
async function marked(page, text) {
  await page.waitForFunction(has, {}, text, ["delivered", "seen"]);
}

function has(text, marks) {
  const bubbles = [...document.querySelectorAll(".message .bubble")];
  return bubbles.some(
    (bubble) =>
      bubble.textContent === text && (!marks || marks.includes(bubble.parentElement.dataset.mark)),
  );
}

function copies(page, text) {
  return page.$$eval(
    ".message .bubble",
    (all, text) => all.filter((bubble) => bubble.textContent === text).length,
    text,
  );
}

function connected(page) {
  return page.waitForFunction(() => document.getElementById("state").dataset.state === "connected");
}

/** Does not wait for the next attempt if that takes long. */
async function connectedSoon(page) {
  await page.$eval("#try-now", (button) => button.hidden || button.click());
  await connected(page);
}

/** Opens the demo as a person of this name, in a window that shares nothing with the others. */
async function enter(browser, address, person, viewport = DESK) {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.setViewport(viewport);
  Object.assign(page, { person, requested: [], failures: [] });
  page.setDefaultTimeout(30_000);
  page.on("request", (request) => page.requested.push(request.url()));
  // Firefox reports a WebSocket that fails as if it were an error of the page.
  const isOurs = ({ message }) => !message.includes("ws://");
  page.on(
    "pageerror",
    (error) => isOurs(error) && page.failures.push(`${person}: ${error.message}`),
  );
  await page.goto(`${address}#harbour`);
  await connected(page);
  await page.$eval(
    "#name",
    (field, name) => {
      field.value = name;
      field.dispatchEvent(new Event("change"));
    },
    person,
  );
  return page;
}

/** What is focused, as a screen reader would call it; it must show that it is. */
function nameOfFocus() {
  const element = document.activeElement;
  if (element === document.body) return "body";
  const name =
    element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
  const shown =
    getComputedStyle(element).outlineStyle !== "none" || element.closest(".composer:focus-within");
  return `${name.trim()}${shown ? "" : " (not shown)"}`;
}

function printedAddress() {
  return new Promise((resolve, reject) => {
    let printed = "";
    server.stdout.on("data", (text) => {
      printed += text;
      const address = printed.match(/http:\S+/)?.[0];
      if (address) resolve(address);
    });
    server.on("exit", () => reject(new Error(`the demo has ended: ${printed}`)));
  });
}

function test(name, run) {
  return { name, run };
}

/** For what the page cannot show: a moment within a fault. */
function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
