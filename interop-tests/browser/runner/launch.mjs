/** Starts browsers with profiles of their own, and ends them whatever they do. */

import { within } from "./report.mjs";

const chromium = {
  browser: "chrome",
  executablePath: process.env.BOWLINE_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

const firefox = {
  browser: "firefox",
  executablePath: process.env.BOWLINE_FIREFOX ?? "/usr/bin/firefox-esr",
};

/**
 * Chromium treats hidden pages as on a desk: timers once a second, and after a while once a minute.
 */
const throttled = {
  ...chromium,
  args: [...chromium.args, "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1"],
  ignoreDefaultArgs: [
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
  ],
};

const kinds = { chromium, firefox, throttled };

/** Runs something with a browser of this kind. */
export async function withBrowser(puppeteer, kind, use) {
  // Puppeteer draws a profile folder for each launch and removes it after.
  // Nobody trusts the certificates of test servers.
  const settings = { headless: true, acceptInsecureCerts: true, ...kinds[kind] };
  const browser = await puppeteer.launch(settings);
  try {
    return await use(browser);
  } finally {
    await within(10_000, browser.close()).catch(() => kill(browser.process()));
  }
}

/** The browser and what it started: puppeteer makes it the leader of a group. */
function kill(child) {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
