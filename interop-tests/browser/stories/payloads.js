/** Stories about what may be sent: it arrives as documented, or is refused at the call. */

import { equal, fails, ok, throws } from "../expect.js";

export const payloads = {
  async "what JSON has is sent as JSON, and what it leaves out is left out"(scene) {
    const client = await scene.connected();
    const date = new Date(0);
    class Point {
      x = 1;
    }
    const sent = {
      text: "\\ud83d",
      pair: "😀",
      none: undefined,
      call() {},
      date,
      list: [undefined, NaN, () => {}],
      point: new Point(),
      bare: Object.create(null),
      boxed: Object("s"),
      empty: {},
      rows: [[]],
    };
    // The server sorts members by name.
    equal(await client.request("echo-dynamic", sent), {
      bare: {},
      boxed: "s",
      date: date.toJSON(),
      empty: {},
      list: [null, null, null],
      pair: "😀",
      point: { x: 1 },
      rows: [[]],
      text: "\\ud83d",
    });
    for (const value of [0, -1.5, true, null, "", []])
      equal(await client.request("echo-dynamic", value), value);
    equal(await client.request("echo-dynamic", undefined), null);
  },

  async "buffers and views of every kind are bytes"(scene) {
    const client = scene.client();
    const received = client.events("sent-back");
    await client.connect();
    const memory = Uint8Array.of(9, 1, 2, 3, 4, 9).buffer;
    const inner = [1, 2, 3, 4];
    const kinds = [
      Uint8Array.from(inner),
      Uint8Array.from(inner).buffer,
      Int8Array.from(inner),
      Uint8ClampedArray.from(inner),
      new DataView(memory, 1, 4),
      new Uint8Array(memory, 1, 4),
      new Uint16Array(Uint8Array.from(inner).buffer),
      new Float32Array(Uint8Array.from(inner).buffer),
    ];
    for (const bytes of kinds) {
      client.emit("send-back", "beside", bytes);
      equal((await received.next()).value, { payload: "beside", bytes: Uint8Array.from(inner) });
      client.emit("send-back", bytes);
      equal((await received.next()).value, { payload: null, bytes: Uint8Array.from(inner) });
    }
  },

  async "a value that would arrive as something else is refused at the call"(scene) {
    const client = scene.client();
    const loop = {};
    loop.again = loop;
    const values = [
      "\ud800",
      "a\\\ud83d",
      { deep: ["x", "\udc00"] },
      { ["\udfff"]: 1 },
      1n,
      { n: 1n },
      loop,
      new Map([[1, 2]]),
      new Set([1]),
      Promise.resolve(1),
      new Blob(["text"]),
      /x/,
      new Error("lost"),
      { file: Uint8Array.of(1) },
      [new ArrayBuffer(1)],
      { view: new DataView(new ArrayBuffer(1)) },
      {
        toJSON() {
          throw new Error("no");
        },
      },
    ];
    for (const value of values) {
      throws(() => client.emit("echo", value), "invalid-payload");
      throws(() => client.emitVolatile("echo", value), "invalid-payload");
      await fails(client.request("echo-dynamic", value), "invalid-payload");
    }
    for (const bytes of ["text", [1, 2], 7, {}, new Blob(["text"])]) {
      throws(() => client.emit("send-back", null, bytes), "invalid-payload");
      await fails(client.request("reverse", "", { bytes }), "invalid-payload");
    }
    throws(() => client.emit("na\ud800me"), "invalid-name");
    // Nothing of all that was sent, and what follows goes its way.
    await client.connect();
    equal(await client.request("echo", "well"), "well");
  },

  async "an answer that cannot be sent fails its request"(scene) {
    const client = scene.client();
    client.handle("down", () => new Map());
    await client.connect();
    await fails(client.request("ask-back", 1), "no-answer");
    client.handle("down", (number) => number);
    ok((await client.request("ask-back", 2)) === 2, "the next one is answered");
  },

  async "authentication that cannot be sent is no authentication"(scene) {
    let asked = 0;
    const client = scene.client({ auth: () => (asked++ ? "anna" : 1n) });
    await client.connect();
    equal(asked, 2);
    ok(/BigInt/.test(client.lastFailure), client.lastFailure);
  },
};
