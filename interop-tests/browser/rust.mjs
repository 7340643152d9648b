/**
 * `node rust.mjs --browser chromium|firefox --app DIR --host-binary PATH [--modules DIR] [--filter
 * TEXT]`: the application in Rust (`interop-tests/wasm-app`) in a browser, in pages and in workers.
 * `--app` is the folder that `cargo xtask wasm` leaves it in, `target/wasm-app`.
 *
 * `--modules` is the folder whose `node_modules` has what package.json names.
 */

import { createRequire } from "node:module";
import { resolve } from "node:path";

import { Broken } from "./expect.js";
import { leavingTests } from "./rust/leaving.mjs";
import { open } from "./rust/open.mjs";
import { parse } from "./runner/arguments.mjs";
import { startHost } from "./runner/host.mjs";
import { withBrowser } from "./runner/launch.mjs";
import { Report } from "./runner/report.mjs";
import { World } from "./world.js";

const transports = ["websocket", "sse", "polling"];
const options = parse(
  process.argv.slice(2),
  ["browser", "app", "host-binary"],
  ["modules", "filter"],
);
const host = await startHost(options["host-binary"], resolve(options.app));
const report = new Report(`${options.browser}, Rust`);
const wanted = ({ name }) => name.includes(options.filter ?? "");
try {
  const modules = resolve(options.modules ?? ".", "package.json");
  const { default: puppeteer } = await import(createRequire(modules).resolve("puppeteer-core"));
  await withBrowser(puppeteer, options.browser, async (browser) => {
    const page = await browser.newPage();
    await open(page, host.control);
    const stories = await page.evaluate(() => window.test.stories());
    // One after another in one page: a page behind another would be slowed down.
    await report.run(storyTests(page, stories).filter(wanted), 1);
    const leaving = leavingTests(options.browser, browser, host.control, transports);
    await report.run(leaving.filter(wanted), 1);
  });
} catch (error) {
  console.log(`FAIL ${options.browser}: the run itself\n${error?.stack ?? error}`);
  report.failed += 1;
} finally {
  await host.end();
}
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed > 0 || (report.passed === 0 && !options.filter) ? 1 : 0);

function storyTests(page, stories) {
  const places = ["page", "worker"];
  return places.flatMap((place) =>
    stories.flatMap((story) =>
      transports.map((transport) => ({
        name: `${story.replaceAll("_", " ")}, over ${transport}, in a ${place}`,
        run: () => tell(page, { story, transport, place }),
      })),
    ),
  );
}

/** Tells a story in a page of the world's own origin. */
async function tell(page, task) {
  const world = await World.create(host.control);
  try {
    await open(page, world.url);
    const told = { ...task, seed: world.seed };
    const broken = await page.evaluate((task) => window.test.play(task), told);
    if (broken !== null) throw new Broken(broken);
  } finally {
    await page.goto("about:blank");
    await world.end();
  }
}
