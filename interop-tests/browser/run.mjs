/**
 * `node run.mjs --browser chromium|firefox|node --package DIR --host-binary PATH [--modules DIR]
 * [--filter TEXT]`: every test whose name holds the text, one line each, and `N passed, N failed`.
 *
 * `--modules` is the folder whose `node_modules` has what package.json names.
 */

import { createRequire } from "node:module";
import { resolve } from "node:path";

import { runInNode } from "./runner/node.mjs";
import { runInBrowser } from "./runner/browser.mjs";
import { parse } from "./runner/arguments.mjs";
import { startHost } from "./runner/host.mjs";
import { Report } from "./runner/report.mjs";

const options = parse(
  process.argv.slice(2),
  ["browser", "package", "host-binary"],
  ["modules", "filter"],
);
const packageFolder = resolve(options.package);
const host = await startHost(options["host-binary"], packageFolder);
const report = new Report(options.browser);
const wanted = (name) => name.includes(options.filter ?? "");
try {
  if (options.browser === "node") {
    await runInNode({ report, host, packageFolder, wanted });
  } else {
    const modules = resolve(options.modules ?? ".", "package.json");
    const { default: puppeteer } = await import(createRequire(modules).resolve("puppeteer-core"));
    await runInBrowser({ report, host, wanted, puppeteer, browser: options.browser });
  }
} catch (error) {
  console.log(`FAIL ${options.browser}: the run itself\n${error?.stack ?? error}`);
  report.failed += 1;
} finally {
  await host.end();
}
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed > 0 || (report.passed === 0 && !options.filter) ? 1 : 0);
