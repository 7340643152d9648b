/** Stories about streams: what arrives, what is sent, and how they end. */

import { equal, fails, ok, through } from "../expect.js";

export const streams = {
  async "the items of a stream arrive in order through cuts, and then the end"(scene) {
    const client = await scene.connected();
    const items = scene.stream(client, "count", 600, { window: { items: 16 } });
    let last = 0;
    for await (const item of items) {
      equal(item, (last += 1));
      if (last % 150 == 0) await scene.world.cut();
    }
    equal([last, await items.result], [600, null]);
  },

  async "a file goes up in parts, with progress, and its result comes back"(scene) {
    const client = await scene.connected();
    const bytes = new Uint8Array(300_000).map((_, place) => place % 251);
    const expected = [bytes.length, sumOf(bytes)];
    const stream = () => new Blob([bytes]).stream();
    const sources = [bytes, bytes.buffer, new Blob([bytes]), stream(), [bytes, new Uint8Array(0)]];
    for (const source of sources) {
      const progress = [];
      const onProgress = ({ sent, total }) => progress.push([sent, total]);
      equal(await scene.upload(client, "store", source, { onProgress }), expected);
      const [sent, total] = progress.at(-1);
      equal([sent, total ?? sent], [bytes.length, bytes.length]);
      ok(progress.length > 1, "progress of the parts");
    }
    const parts = [];
    for await (const part of scene.stream(client, "load", 300_000)) parts.push(part);
    const loaded = new Uint8Array(await new Blob(parts).arrayBuffer());
    equal([loaded.length, sumOf(loaded)], expected);
  },

  async "items go both ways at once through cuts"(scene) {
    const client = await scene.connected();
    async function* numbers() {
      for (const number of through(300)) {
        yield number;
        if (number % 100 == 0) await scene.world.cut();
      }
    }
    const doubled = [];
    for await (const item of scene.stream(client, "double", null, { send: numbers() }))
      doubled.push(item);
    equal(
      doubled,
      through(300).map((number) => number * 2),
    );
  },

  async "a stream that fails throws what the server states, after its items"(scene) {
    const client = await scene.connected();
    const items = [];
    const failing = scene.stream(client, "fail", 3);
    const error = await fails(collect(failing, items), "broken");
    equal([items, error.payload], [through(3), 3]);
    ok(error instanceof scene.BowlineError, "the package's own class");
    equal((await fails(failing.result, "broken")) == error, true);
    await fails(collect(scene.stream(client, "nothing", 1)), "no-stream");
    await fails(collect(scene.stream(client, "count", "no number")), "invalid-payload");
    await fails(scene.upload(client, "double", ["x"]), "invalid-payload");
    await fails(scene.upload(client, "double", ["x".repeat(200_000)]), "item-too-large");
  },

  async "a stream that is left is cancelled, and others begin"(scene) {
    const client = await scene.connected();
    // More than a session may have at the same time.
    for (const round of through(120)) {
      for await (const item of scene.stream(client, "endless")) {
        equal(item, 0, round);
        break;
      }
    }
    const abort = new AbortController();
    const aborted = scene.stream(client, "endless", null, { signal: abort.signal });
    const items = [];
    const collecting = collect(aborted, items, () => items.length == 5 && abort.abort());
    await fails(collecting, "aborted");
    await fails(aborted.result, "aborted");
    await fails(collect(scene.stream(client, "count", 1, { signal: abort.signal })), "aborted");
    equal(await client.request("echo", "still here"), "still here");
  },

  async "a server that wants no more items stops the source"(scene) {
    const client = await scene.connected();
    let [given, closed] = [0, false];
    async function* numbers() {
      try {
        for (;;) yield (given += 1);
      } finally {
        closed = true;
      }
    }
    equal(await scene.upload(client, "first", numbers()), 1);
    while (!closed) await new Promise((resolve) => setTimeout(resolve, 5));
    ok(given < 1000, `${given} items were taken from the source`);
    async function* broken() {
      yield new Uint8Array(9);
      throw new Error("on purpose");
    }
    const error = await scene.upload(client, "store", broken()).catch((error) => error);
    equal(error.message, "on purpose");
  },

  async "a hundred streams share a session"(scene) {
    const client = await scene.connected();
    const one = async (number) => {
      const items = [];
      await collect(scene.stream(client, "count", number), items);
      equal(items, through(number));
    };
    await Promise.all(through(100).map(one));
  },

  async "a lost session and a closed client end their streams"(scene) {
    const client = await scene.connected();
    const lost = collect(scene.stream(client, "endless"), []);
    const sending = scene.upload(client, "double", slowly());
    await client.request("echo", "the streams are open");
    client.emit("lose-me");
    await fails(lost, "session-lost");
    await fails(sending, "session-lost");
    const closed = collect(scene.stream(client, "endless"), []);
    await client.request("echo", "the stream is open");
    client.close();
    await fails(closed, "closed");
  },
};

async function* slowly() {
  for (let number = 1; ; number += 1) {
    yield number;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function collect(items, into = [], then = () => {}) {
  for await (const item of items) {
    into.push(item);
    then();
  }
}

/** As the server computes it. */
const sumOf = (bytes) => bytes.reduce((sum, byte) => ((sum * 31) % 1_000_003) + byte, 0);
