/** All tests in one browser. */

import { pageTests } from "../pages/index.mjs";
import { storyTests } from "./stories.mjs";
import { withBrowser } from "./launch.mjs";

const transports = ["websocket", "sse", "polling"];

export async function runInBrowser({ report, host, wanted, puppeteer, browser }) {
  const select = (tests) => tests.filter(({ name }) => wanted(name));
  await withBrowser(puppeteer, browser, async (launched) => {
    const stage = await launched.newPage();
    await stage.goto(`${host.control}/pages/stage.html`);
    const play = async (task) => (await stage.evaluate((task) => window.play(task), task)).broken;
    // A browser opens six connections to a host: five stories may wait for their worlds at a time.
    await report.run(select(storyTests(host.control, transports, play)), 5);
  });
  for (const [kind, tests] of Object.entries(pageTests(browser, host.control))) {
    const chosen = select(tests((page) => page));
    if (chosen.length > 0) {
      await withBrowser(puppeteer, kind, (launched) => report.run(select(tests(launched)), 4));
    }
  }
}
