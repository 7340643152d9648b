/** Stories about pages that stay open for days: nothing is left behind. */

import { equal, ok } from "../expect.js";

export const staying = {
  async "a signal keeps no listener of what has ended"(scene) {
    const client = await scene.connected();
    const { signal, counted } = watched();
    for (let round = 0; round < 1000; round++) {
      client.on("down", () => {}, { signal })();
      client.onStatus(() => {}, { signal })();
      await client.events("down", { signal }).return();
    }
    const many = Array.from({ length: 1000 }, () => client.request("echo", "x", { signal }));
    ok(counted() <= 1, `${counted()} listeners for a thousand that wait`);
    await Promise.all(many);
    equal(counted(), 0);
  },

  async "one signal ends many, in one go"(scene) {
    const client = await scene.connected();
    const abort = new AbortController();
    const { signal } = abort;
    let heard = 0;
    for (let each = 0; each < 20_000; each++) client.on("down", () => heard++, { signal });
    const events = client.events("down", { signal });
    const next = events.next();
    abort.abort();
    equal(await next, { done: true });
    await client.request("down-again", 1);
    await client.request("echo", "the event came before this answer");
    equal(heard, 0);
  },

  async "an iterator that is left before its first event gathers nothing"(scene) {
    const client = scene.client();
    const left = client.events("down");
    const thrown = client.events("down");
    equal(await left.return("over"), { value: "over", done: true });
    await (async () => {
      for await (const _ of { [Symbol.asyncIterator]: () => thrown }) break;
    }).call(undefined, (await client.connect(), await client.request("down-again", 1)));
    await client.request("count-down", 3);
    await client.request("echo", "all are there");
    for (const iterator of [left, thrown]) equal(await iterator.next(), { done: true });
  },

  async "calls of next that overlap get the events in their order"(scene) {
    const client = scene.client();
    const events = client.events("down");
    const asked = [events.next(), events.next(), events.next(), events.next()];
    await client.connect();
    await client.request("count-down", 3);
    const numbers = (await Promise.all(asked.slice(0, 3))).map(({ value }) => value.payload);
    equal(numbers, [1, 2, 3]);
    await client.close();
    equal(await asked[3], { done: true });
  },
};

/** A signal, and how many listeners it has. */
function watched() {
  const { signal } = new AbortController();
  const listeners = new Set();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (name, listener, ...rest) => {
    listeners.add(listener);
    addEventListener.call(signal, name, listener, ...rest);
  };
  signal.removeEventListener = (name, listener, ...rest) => {
    listeners.delete(listener);
    removeEventListener.call(signal, name, listener, ...rest);
  };
  return { signal, counted: () => listeners.size };
}
