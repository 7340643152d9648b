/** The engine comes late, another way, or not at all. */

import { equal, ok } from "../expect.js";
import { Conversation } from "./conversation.mjs";

const loading = {
  async "what is said before the engine is there arrives in order"(talk) {
    await held(talk);
    const before = await talk.page.evaluate(async () => {
      const { client } = window.test;
      const thrown = (call) => {
        try {
          call();
        } catch ({ code }) {
          return code;
        }
      };
      const connected = client.connect();
      const gone = new AbortController();
      const aborted = client
        .request("echo", "never", { signal: gone.signal })
        .catch(({ code }) => code);
      window.test.sayUp(2);
      const echo = client.request("echo", "here");
      window.test.sayUp(1);
      const late = await client.request("echo", "late", { timeout: 10 }).catch(({ code }) => code);
      gone.abort();
      window.said = Promise.all([connected, echo]).then(([, echo]) => echo);
      return {
        codes: [
          await aborted,
          late,
          thrown(() => client.emit("two words")),
          thrown(() => client.emit("up", "x".repeat(2e5))),
        ],
        state: client.status.state,
        taken: client.emitVolatile("up", 0),
        inFlight: client.stats.inFlight,
      };
    });
    const codes = ["aborted", "timeout", "invalid-name", "full"];
    equal(before, { codes, state: "connecting", taken: false, inFlight: 4 });
    talk.expectUp(3);
    equal(await talk.page.evaluate(() => (window.release(), window.said)), "here");
    talk.session = (await talk.facts()).sessionId;
    equal(await talk.page.evaluate(() => window.test.client.stats.droppedVolatile), 1);
    await talk.goesOn();
  },

  async "a missing bowline.wasm is told with its status"(talk) {
    await talk.page.evaluateOnNewDocument(() => {
      const { fetch } = window;
      window.fetch = (url, ...rest) =>
        /wasm$/.test(url)
          ? Promise.resolve(new Response("no such file", { status: 404 }))
          : fetch(url, ...rest);
    });
    await talk.page.goto(`${talk.world.url}pages/page.html`);
    const error = await talk.page.evaluate(async () => {
      await window.ready;
      const { code, message } = await window.test.client.connect().catch((error) => error);
      return { code, message };
    });
    equal(error, { code: "load-failed", message: "bowline.wasm could not be loaded: status 404" });
  },

  async "a policy that forbids WebAssembly rejects connect, and whatever waits"(talk) {
    const policy = "script-src 'self' 'unsafe-inline'";
    await talk.page.goto(`${talk.world.url}pages/page.html?csp=${encodeURIComponent(policy)}`);
    const outcome = await talk.page.evaluate(async () => {
      await window.ready;
      const { client } = window.test;
      const codes = Promise.all(
        [client.request("echo"), client.connect(), client.ping()].map((one) =>
          one.catch((error) => error),
        ),
      );
      const [request, connect, ping] = await codes;
      const { state, code, reason } = client.status;
      const late = await client.request("echo").catch((error) => error.code);
      return {
        codes: [request.code, connect.code, ping.code, late],
        state,
        code,
        reason,
        message: connect.message,
      };
    });
    equal(outcome.codes, Array(4).fill("load-failed"));
    equal([outcome.state, outcome.code, outcome.reason], ["closed", 0, outcome.message]);
    ok(
      /bowline\.wasm/.test(outcome.message) && /policy|CSP|WebAssembly/i.test(outcome.message),
      outcome.message,
    );
  },

  async "a client that is closed before it connects needs no engine"(talk) {
    await held(talk);
    const state = await talk.page.evaluate(async () => {
      const { client } = window.test;
      await client.close();
      return client.status.state;
    });
    equal(state, "closed");
  },
};

/** A page on which the engine is under way until `window.release` is called. */
async function held(talk) {
  await talk.page.evaluateOnNewDocument(() => {
    const { fetch } = window;
    const released = new Promise((resolve) => (window.release = resolve));
    window.fetch = (url, ...rest) =>
      /wasm$/.test(url) ? released.then(() => fetch(url, ...rest)) : fetch(url, ...rest);
  });
  const options = encodeURIComponent(JSON.stringify({ outboxLimit: 1e5 }));
  await talk.page.goto(`${talk.world.url}pages/page.html#${options}`);
  await talk.page.evaluate(() => window.ready);
}

/** For the table of tests. */
export function loadingTests(browser, control) {
  return Object.entries(loading).map(([name, tell]) => ({
    name,
    run: () => Conversation.with(browser, control, {}, tell),
  }));
}
