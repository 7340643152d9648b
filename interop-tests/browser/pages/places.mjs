/**
 * Where the package runs beside pages: workers of all kinds, sandboxed frames, pages whose storage
 * is forbidden.
 */

import { EXPECTED } from "../consumers/app/conversation.js";
import { equal } from "../expect.js";
import { Conversation } from "./conversation.mjs";

const places = (browser, control) => ({
  async "in a worker"(talk) {
    await at(talk, "package/package.json");
    const words = await talk.page.evaluate(() => {
      const worker = new Worker("/pages/place-worker.js", { type: "module" });
      return new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    });
    equal(words, EXPECTED);
  },

  async "in a worker that is made of a blob"(talk) {
    await at(talk, "package/package.json");
    const words = await talk.page.evaluate(() => {
      const text = `import "${new URL("/pages/place-worker.js", location)}";`;
      const worker = new Worker(
        URL.createObjectURL(new Blob([text], { type: "text/javascript" })),
        { type: "module" },
      );
      return new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    });
    equal(words, EXPECTED);
  },

  async "in a shared worker"(talk) {
    await at(talk, "package/package.json");
    const words = await talk.page.evaluate(() => {
      const { port } = new SharedWorker("/pages/place-worker.js", { type: "module" });
      return new Promise((resolve) => (port.onmessage = ({ data }) => resolve(data)));
    });
    equal(words, EXPECTED);
  },

  async "in a service worker"(talk) {
    await at(talk, "package/package.json");
    equal(await served(talk, "/pages/place-script.js"), EXPECTED);
    // Firefox has no modules there yet.
    if (browser === "chromium")
      equal(await served(talk, "/pages/place-worker.js", { type: "module" }), EXPECTED);
  },

  async "in a sandboxed frame"(talk) {
    await at(talk, "package/package.json");
    const page = `${control}/pages/place.html#${encodeURIComponent(`${talk.world.url}bowline`)}`;
    const words = await talk.page.evaluate((page) => {
      const frame = Object.assign(document.createElement("iframe"), { src: page });
      frame.setAttribute("sandbox", "allow-scripts");
      const told = new Promise((resolve) =>
        addEventListener("message", ({ data }) => resolve(data.words)),
      );
      document.body.append(frame);
      return told;
    }, page);
    equal(words, [EXPECTED, EXPECTED]);
  },

  async "in a page whose storage is forbidden"(talk) {
    await talk.page.evaluateOnNewDocument(() => {
      const get = () => {
        throw new DOMException("forbidden by a setting", "SecurityError");
      };
      for (const name of ["sessionStorage", "localStorage"])
        Object.defineProperty(window, name, { get });
    });
    await at(talk, "pages/place.html");
    await talk.page.waitForFunction(() => window.said);
    equal(await talk.page.evaluate(() => window.said), [EXPECTED, EXPECTED]);
  },
});

function at(talk, path) {
  return talk.page.goto(`${talk.world.url}${path}`);
}

/** What a service worker answers. */
function served(talk, script, options) {
  return talk.page.evaluate(
    async (script, options) => {
      const registration = await navigator.serviceWorker.register(script, options);
      const worker = registration.installing ?? registration.waiting ?? registration.active;
      const { port1, port2 } = new MessageChannel();
      worker.postMessage("speak", [port2]);
      const words = await new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
      await registration.unregister();
      return words;
    },
    script,
    options,
  );
}

/** For the table of tests. */
export function placesTests(browser, launched, control) {
  return Object.entries(places(browser, control)).map(([name, tell]) => ({
    name: `the package works ${name}`,
    run: () => Conversation.with(launched, control, { any_origin: true }, tell),
  }));
}
