/** Stories about the class itself: subscriptions, iterators, signals, status. */

import { equal, fails, ok } from "../expect.js";

export const interfaces = {
  async "subscriptions begin and end when they are told"(scene) {
    const client = scene.client();
    const heard = { plain: [], once: [], signalled: [], ended: [] };
    const abort = new AbortController();
    client.on("down", (number) => heard.plain.push(number));
    client.on("down", (number) => heard.once.push(number), { once: true });
    client.on("down", (number) => heard.signalled.push(number), { signal: abort.signal });
    client.on("down", () => heard.plain.push("never"), { signal: AbortSignal.abort() });
    const end = client.on("down", (number) => heard.ended.push(number));
    await client.connect();
    await client.request("down-again", 1);
    await client.request("echo", "the event came before this answer");
    end();
    end();
    abort.abort();
    await client.request("down-again", 2);
    await client.request("echo", "and so did this one");
    equal(heard, { plain: [1, 2], once: [1], signalled: [1], ended: [1] });
  },

  async "a listener that throws harms nobody else"(scene) {
    const client = scene.client();
    const heard = [];
    client.on("down", () => {
      throw new Error("a listener threw on purpose");
    });
    client.on("down", (number) => heard.push(number));
    await client.connect();
    await client.request("count-down", 3);
    equal(await client.request("echo", "well"), "well");
    equal(heard, [1, 2, 3]);
  },

  async "once resolves with the next event"(scene) {
    const client = scene.client();
    const abort = new AbortController();
    const [next, aborted] = [client.once("down"), client.once("down", { signal: abort.signal })];
    const failed = fails(aborted, "aborted");
    abort.abort();
    await failed;
    await client.connect();
    await client.request("count-down", 3);
    equal(await next, 1);
    const unsettled = fails(client.once("never"), "closed");
    await client.close();
    await unsettled;
  },

  async "an iterator yields every event until it ends"(scene) {
    const client = scene.client();
    const abort = new AbortController();
    const [all, some, signalled] = [
      client.events("down"),
      client.events("down"),
      client.events("down", { signal: abort.signal }),
    ];
    await client.connect();
    await client.request("count-down", 5);
    await client.request("echo", "all are there");
    const left = [];
    for await (const { payload } of some) {
      left.push(payload);
      if (payload === 3) break;
    }
    equal(left, [1, 2, 3]);
    equal(await some.next(), { done: true });
    abort.abort();
    const counted = [];
    for await (const { payload } of signalled) counted.push(payload);
    ok(counted.length <= 5, `${counted}`);
    await client.close();
    const kept = [];
    for await (const { payload } of all) kept.push(payload);
    equal(kept, [1, 2, 3, 4, 5]);
  },

  async "a handler can be replaced and withdrawn"(scene) {
    const client = scene.client();
    client.handle("down", () => 1);
    const withdraw = client.handle("down", () => 2);
    await client.connect();
    equal(await client.request("ask-back", 0), 2);
    withdraw();
    await fails(client.request("ask-back", 0), "no-answer");
  },

  async "the status tells where the client stands"(scene) {
    const client = scene.client();
    const seen = [];
    client.onStatus((status) => seen.push(status));
    equal(
      [client.status, client.transport, client.sessionId],
      [{ state: "idle" }, undefined, undefined],
    );
    await scene.world.do("delay", { each_way: 20, jitter: 0 });
    await client.connect();
    const { transport } = scene;
    equal(client.transport, transport);
    equal(client.status, { state: "connected", transport, resumed: false });
    ok(/^[\w-]{8}\.[\w-]{16}$/.test(client.sessionId), client.sessionId);
    const measured = await client.ping();
    ok(measured >= 38 && client.rtt === measured, `${measured} and ${client.rtt}`);
    await client.connect();
    const { inFlight, ...counted } = client.stats;
    ok(inFlight >= 0, `${inFlight}`);
    equal(counted, {
      reconnects: 0,
      resumes: 0,
      sessionsLost: 0,
      transportSwitches: 0,
      droppedVolatile: 0,
    });
    await client.close();
    equal(
      seen.map((status) => status.state),
      ["idle", "connecting", "connected", "closed"],
    );
  },

  async "a ping of a client that is closed ends"(scene) {
    const client = scene.client();
    const waiting = client.ping();
    await client.close();
    for (const ping of [waiting, client.ping()]) {
      equal(await ping.catch(({ code }) => code), "closed");
    }
  },

  async "a resumed session says so"(scene) {
    const client = await scene.connected();
    await client.request("echo", "here");
    const statuses = scene.statuses(client);
    // Between two polls there is no connection to cut; then the next poll is refused.
    await scene.world.do("refuse-connections", { on: true });
    await scene.world.cut();
    await statuses.until((status) => status.state !== "connected");
    await scene.world.do("refuse-connections", { on: false });
    await statuses.until((status) => status.state === "connected" && status.resumed);
    equal([client.stats.reconnects, client.stats.resumes], [1, 1]);
    ok(typeof client.lastFailure === "string", "the reason is kept");
  },
};
