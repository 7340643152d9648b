/**
 * The package as applications use it: `node run.mjs --package DIR --host-binary PATH --modules DIR
 * --into DIR [--filter TEXT]`. Each row is a project below `--into`: it installs what it needs,
 * puts an application together, and runs it against a live server. All have their turn, two at a
 * time; the README of the package has to list exactly them.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { parse } from "../runner/arguments.mjs";
import { startHost } from "../runner/host.mjs";
import { withBrowser } from "../runner/launch.mjs";
import { Report } from "../runner/report.mjs";
import { World } from "../world.js";
import { Project } from "./project.mjs";
import { rows } from "./rows/index.mjs";
import { packages, runtimes } from "./runtimes.mjs";

const README = fileURLToPath(new URL("../../../client-wasm/npm/README.md", import.meta.url));
/** Milliseconds for a row, with the time that it takes to install. */
const DEADLINE = 480_000;

const options = parse(
  process.argv.slice(2),
  ["package", "host-binary", "modules", "into"],
  ["filter"],
);
const into = resolve(options.into);
const chosen = rows.filter(({ name }) => name.includes(options.filter ?? ""));
if (chosen.length === 0) throw new Error(`there is no row with ${options.filter} in its name`);

const { default: puppeteer } = await import(
  createRequire(resolve(options.modules, "package.json")).resolve("puppeteer-core")
);
const host = await startHost(options["host-binary"], resolve(options.package));
const report = new Report("consumers");
try {
  listed();
  const world = await World.create(host.control, { any_origin: true });
  const common = {
    tarball: packed(),
    world: world.url,
    runtimes: runtimes(join(into, "runtimes")),
  };
  await new Project(join(into, "runtimes"), common).install(packages);
  await withBrowser(puppeteer, "chromium", (browser) =>
    report.run(
      chosen.map((row) => test(row, { ...common, browser })),
      2,
    ),
  );
} finally {
  await host.end();
}
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed > 0 ? 1 : 0);

function test({ name, packages, run }, common) {
  const folder = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const project = new Project(join(into, folder), common);
  return {
    name,
    timeout: DEADLINE,
    async run() {
      await project.install(packages);
      await run(project);
    },
  };
}

/** What npm would publish. */
function packed() {
  mkdirSync(into, { recursive: true });
  const words = ["pack", "--silent", "--pack-destination", into, resolve(options.package)];
  return join(into, execFileSync("npm", words, { encoding: "utf8" }).trim());
}

/** Fails unless the table in the package's README has these rows, with these versions. */
function listed() {
  const [, section = ""] = readFileSync(README, "utf8").split("## Where it works\n");
  const [table] = section.split("\n## ");
  const [, ...found] = [...table.matchAll(/^\| ([^|]+?) \| ([^|]+?) \|/gm)].map(
    ([, name, versions]) => `${name} (${versions})`,
  );
  const wanted = rows.map(({ name, tested }) => `${name} (${tested})`);
  const difference = (some, others) =>
    some.filter((row) => !others.includes(row)).join(", ") || "nothing";
  if (`${found}` === `${wanted}`) return;
  const words = `it lacks ${difference(wanted, found)}, and has ${difference(found, wanted)} that is not tested; the order counts`;
  throw new Error(`${README}: the table under "Where it works" is not that of the rows: ${words}`);
}
