// Uses the package as applications do: node run.mjs PACKAGE
//
// TypeScript checks types.ts, Node imports it, Vite serves and builds app/, and Chromium opens that.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";
import { build, createServer, preview } from "vite";
import { withBrowser } from "../runner/launch.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const installed = join(here, "../node_modules/bowline-client");
const app = { root: join(here, "app"), configFile: false, logLevel: "warn" };
const local = { host: "127.0.0.1", strictPort: false };
const expected = "idle 1000";

// A copy, as npm would make it: bundlers treat a link as part of the application.
await rm(installed, { recursive: true, force: true });
await cp(process.argv[2], installed, { recursive: true });

const tsc = createRequire(import.meta.url).resolve("typescript/package.json");
execFileSync(process.execPath, [join(dirname(tsc), "bin/tsc"), "--project", here], { stdio: "inherit" });
console.log("TypeScript: the declarations allow and refuse what they should");

const { Client } = await import("bowline-client");
const { CloseCode } = await import("bowline-client/close-codes");
assert.equal(`${new Client("http://localhost/bowline").status.state} ${CloseCode.NORMAL}`, expected);
console.log("Node: runs");

await withBrowser(puppeteer, "chromium", async (browser) => {
  await developed(browser);
  await built(browser);
});

async function developed(browser) {
  const folder = await mkdtemp(join(tmpdir(), "bowline-vite-"));
  const server = await createServer({ ...app, cacheDir: folder, server: local });
  try {
    await server.listen();
    await look(browser, "Vite, developing", server.resolvedUrls.local[0]);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
}

async function built(browser) {
  const folder = await mkdtemp(join(tmpdir(), "bowline-vite-"));
  const output = { outDir: folder, emptyOutDir: true };
  await build({ ...app, build: output });
  const server = await preview({ ...app, build: output, preview: local });
  try {
    await look(browser, "Vite, built", server.resolvedUrls.local[0]);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
}

async function look(browser, name, url) {
  for (const entry of ["", "#inline"]) {
    const page = await browser.newPage();
    await page.goto(url + entry);
    await page.waitForFunction(() => document.title !== "waiting", { timeout: 20_000 });
    assert.equal(await page.title(), expected, `${name}${entry}`);
    await page.close();
  }
  console.log(`${name}: both entries run`);
}
