/** Stories in which nothing goes wrong. */

import { equal, fails, ok, through } from "../expect.js";

export const talking = {
  async "requests are answered"(scene) {
    const client = await scene.connected();
    const text = 'grüße "quoted"\n second line';
    equal(await client.request("echo", text), text);
    const value = { a: [1, null, "x", true, 1.5], b: {} };
    equal(await client.request("echo-dynamic", value), value);
    const many = await Promise.all(
      through(50).map((number) => client.request("echo", `${number}`)),
    );
    equal(many, through(50).map(String));
  },

  async "a slow connect hook leaves a client on its first transport"(scene) {
    const transports = ["websocket", "sse", "polling"];
    transports.splice(0, transports.indexOf(scene.transport));
    const slow = async (milliseconds) => {
      const client = await scene.connected({ transports, auth: `slow ${milliseconds}` });
      equal(client.transport, scene.transport, `${milliseconds} ms`);
      const words = scene.describe(client.diagnostics());
      ok(!/needs|failed/.test(words), words);
    };
    await Promise.all([1500, 3000, 8000].map(slow));
  },

  async "events arrive in order both ways"(scene) {
    const client = scene.client();
    const downs = scene.downs(client);
    await client.connect();
    for (const number of through(200)) client.emit("up", number);
    await client.request("count-down", 200);
    equal(await downs.take(200), through(200));
    // The request came after the events, so they have been handled before it was answered.
    equal(await scene.world.numbers(client.sessionId), through(200));
  },

  async "what is emitted before connecting is delivered"(scene) {
    const client = scene.client();
    for (const number of through(20)) client.emit("up", number);
    const answer = client.request("echo", "early");
    await client.connect();
    equal(await answer, "early");
    equal(await scene.world.numbers(client.sessionId), through(20));
  },

  async "a room hears what is said in it"(scene) {
    const [speaker, listener, outsider] = [scene.client(), scene.client(), scene.client()];
    const [own, heard, overheard] = [speaker, listener, outsider].map((client) =>
      client.events("said"),
    );
    await Promise.all([speaker, listener, outsider].map((client) => client.connect()));
    const line = (room, text) => ({ room, text });
    for (const client of [speaker, listener]) await client.request("join", "tea");

    equal(await speaker.request("say", line("tea", "milk?")), 1);
    equal((await heard.next()).value.payload, line("tea", "milk?"));

    await listener.request("leave", "tea");
    equal(await speaker.request("say", line("tea", "anyone?")), 0);
    // Events keep their order, so whoever hears the next word has not missed one before it.
    for (const client of [listener, outsider, speaker]) await client.request("join", "hall");
    equal(await speaker.request("say", line("hall", "hello")), 2);
    equal((await heard.next()).value.payload, line("hall", "hello"));
    equal((await overheard.next()).value.payload, line("hall", "hello"));
    equal(await listener.request("say", line("hall", "welcome")), 2);
    equal((await own.next()).value.payload, line("hall", "welcome"));
  },

  async "everyone in a room answers"(scene) {
    const clients = [1, 2, 3].map((factor) => {
      const client = scene.client();
      client.handle("down", (number) => number * factor);
      return client;
    });
    for (const client of clients) {
      await client.connect();
      await client.request("join", "jury");
    }
    equal(await clients[0].request("poll-room", "jury"), 21 + 42 + 63);
  },

  async "a handler may ask its own client"(scene) {
    const client = scene.client();
    client.handle("down", async (number) => number * 2);
    await client.connect();
    equal(await client.request("ask-back", 21), 42);
  },

  async "bytes travel both ways beside the payload"(scene) {
    const client = scene.client();
    const received = client.events("sent-back");
    await client.connect();
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const bytes of [everyByte, Uint8Array.of(10, 10), new Uint8Array()]) {
      client.emit("send-back", { name: "file.bin" }, bytes);
      const { payload, bytes: back } = (await received.next()).value;
      equal(payload, { name: "file.bin" });
      ok(back instanceof Uint8Array, "bytes are a Uint8Array");
      equal(back, bytes);
      const reversed = Uint8Array.from(bytes).reverse();
      const answer = await client.request("reverse", "file.bin", { bytes });
      equal(answer, { payload: "file.bin", bytes: reversed });
    }
    // A part of a larger buffer is only that part.
    client.emit("send-back", null, everyByte.subarray(100, 103));
    equal((await received.next()).value.bytes, Uint8Array.of(100, 101, 102));
    // None at all are not the same as an empty sequence.
    await fails(client.request("reverse", "no bytes"), "invalid-payload");
  },

  async "an event of the server carries bytes"(scene) {
    const client = scene.client();
    const files = client.events("file");
    await client.connect();
    const details = { session: client.sessionId, payload: { name: "a" }, bytes: [0, 10, 255] };
    await scene.world.do("emit-bytes", details);
    const { payload, bytes } = (await files.next()).value;
    equal([payload, bytes], [{ name: "a" }, Uint8Array.of(0, 10, 255)]);
  },

  async "large messages arrive whole"(scene) {
    const client = scene.client();
    const back = client.events("sent-back");
    await client.connect();
    const text = "0123456789".repeat(50_000);
    ok((await client.request("echo", text)) === text, "half a megabyte of text");
    const bytes = Uint8Array.from({ length: 500_000 }, (_, at) => at * 7);
    client.emit("send-back", null, bytes);
    const received = (await back.next()).value.bytes;
    ok(received.length === bytes.length, `${received.length} bytes came back`);
    ok(
      received.every((byte, at) => byte === bytes[at]),
      "the bytes came back as they were",
    );
  },

  async "every character survives, in names too"(scene) {
    const client = scene.client();
    const texts = [
      "",
      "grüße",
      "日本語",
      "😀👩‍👩‍👧",
      "\u0000\u0001\u001f\u2028\u2029\u0085",
      '\\n\n\r\t"',
      "𝒳\u{10ffff}",
    ];
    const name = "größe/日本😀";
    const events = client.events(name);
    await client.connect();
    for (const text of texts) {
      equal(await client.request("echo", text), text);
      await scene.world.do("emit", { session: client.sessionId, name, payload: text });
      equal((await events.next()).value.payload, text);
    }
    equal(await client.request("echo-dynamic", { [name]: texts }), { [name]: texts });
    await fails(client.request(name, 1), "no-handler");
  },

  async "volatile events arrive while connected"(scene) {
    const client = scene.client();
    const downs = scene.downs(client);
    ok(!client.emitVolatile("up", 7), "nothing volatile is taken before there is a connection");
    equal(client.stats.droppedVolatile, 1);
    await client.connect();
    await client.request("echo", "here");
    const session = client.sessionId;
    equal(await scene.world.do("emit-volatile", { session, number: 7 }), true);
    equal(await downs.take(1), [7]);
    ok(client.emitVolatile("up", 8), "taken");
    equal(await scene.world.numbers(session, 1), [8]);
  },

  async "ordinary handlers speak to rooms"(scene) {
    const client = scene.client();
    const heard = client.once("said");
    await client.connect();
    await client.request("join", "news");
    const answer = await fetch(`${scene.world.url}say/news`, { method: "POST", body: "extra" });
    equal(await answer.text(), "1");
    equal(await heard, { room: "news", text: "extra" });
  },
};
