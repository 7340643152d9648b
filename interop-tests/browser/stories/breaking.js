/** Stories in which the network or the server breaks. */

import { equal, fails, ok, throws, through } from "../expect.js";

const short = { heartbeat: 400, grace: 400 };

export const breaking = {
  async "messages sent while cut off arrive once and in order"(scene) {
    const { world } = scene;
    const client = scene.client();
    const downs = scene.downs(client);
    await client.connect();
    await client.request("echo", "here");
    const session = client.sessionId;
    const statuses = scene.statuses(client);
    await world.do("refuse-connections", { on: true });
    await world.cut();
    await statuses.until((status) => status.state !== "connected");
    for (const number of through(100)) client.emit("up", number);
    await world.emitDown(session, 1, 100);
    await world.do("refuse-connections", { on: false });

    equal(await downs.take(100), through(100));
    await client.request("echo", "done");
    equal(await world.numbers(session), through(100));
    equal(client.sessionId, session);
    ok(client.stats.resumes >= 1, JSON.stringify(client.stats));
  },

  async "a thousand messages each way survive cuts at any moment"(scene) {
    const { world } = scene;
    const client = scene.client();
    const downs = scene.downs(client);
    await client.connect();
    const session = client.sessionId;
    const received = [];
    for (let batch = 0; batch < 5; batch += 1) {
      const first = batch * 200 + 1;
      for (let number = first; number < first + 200; number += 1) client.emit("up", number);
      const emitted = world.emitDown(session, first, first + 199);
      received.push(...(await downs.take(30)));
      await world.cut(batch % 2 === 1);
      await emitted;
      received.push(...(await downs.take(170)));
    }
    equal(received, through(1_000));
    await client.request("echo", "done", { timeout: 60_000 });
    equal(await world.numbers(session), through(1_000));
    equal([client.sessionId, client.stats.sessionsLost], [session, 0]);
  },

  async "requests survive cuts"(scene) {
    const client = scene.client();
    client.handle("down", (number) => number * 2);
    await client.connect();
    for (let round = 0; round < 4; round += 1) {
      const numbers = through(10).map((number) => round * 10 + number);
      const answers = numbers.map((number) =>
        client.request("ask-back", number, { timeout: 60_000 }),
      );
      await scene.world.cut();
      equal(
        await Promise.all(answers),
        numbers.map((number) => number * 2),
      );
    }
  },

  async "a request that ended unsent is never handled"(scene) {
    const client = await scene.connected();
    await client.request("echo", "here");
    const session = client.sessionId;
    const statuses = scene.statuses(client);
    await scene.world.do("refuse-connections", { on: true });
    await scene.world.cut();
    await statuses.until((status) => status.state !== "connected");
    const abort = new AbortController();
    client.emit("up", 1);
    const late = fails(client.request("up", 1000, { timeout: 50 }), "timeout");
    const aborted = fails(client.request("up", 1001, { signal: abort.signal }), "aborted");
    client.emit("up", 2);
    const stays = client.request("up", 3, { timeout: 60_000 });
    abort.abort();
    equal([(await late).sent, (await aborted).sent], [false, false]);
    client.emit("up", 4);
    await scene.world.do("refuse-connections", { on: false });
    equal((await stays).number, 3);
    await client.request("echo", "done");
    equal(await scene.world.numbers(session), through(4));
  },

  async "a new session is set up before anything queued"(scene) {
    const { world } = scene;
    const seen = [];
    const onSession = async (setup) => {
      seen.push([client.status.state, client.emitVolatile("up", 5000)]);
      setup.emit("up", 1000);
      equal((await setup.request("up", 1001)).number, 1001);
      // What the client itself is given waits, here too.
      client.emit("up", 3);
      setup.emit("up", 1002);
    };
    const client = scene.client({ onSession });
    client.emit("up", 1);
    const early = client.request("up", 2);
    await client.connect();
    equal(
      [client.status.state, client.status.resumed, (await early).number],
      ["connected", false, 2],
    );
    await client.request("echo", "done");
    equal(await world.numbers(client.sessionId), [1000, 1001, 1002, 1, 2, 3]);

    const statuses = scene.statuses(client);
    await world.do("restart");
    await statuses.until((status) => status.state === "session-lost");
    await statuses.until((status) => status.state === "connected" && !status.resumed);
    await client.request("echo", "anew");
    equal(await world.numbers(client.sessionId), [1000, 1001, 1002, 3]);
    equal(seen, [
      ["connecting", false],
      ["connecting", false],
    ]);
  },

  async "a set-up that fails or takes too long begins again"(scene) {
    let runs = 0;
    const left = [];
    const onSession = async (setup) => {
      runs += 1;
      left.push(setup);
      setup.emit("up", 1000 + runs);
      if (runs === 1) throw new Error("no token");
      if (runs === 2) await new Promise(() => {});
    };
    const client = scene.client({ onSession, setupTimeout: 50 });
    const statuses = scene.statuses(client);
    const why = [];
    client.onStatus(({ state }) => state === "waiting" && why.push(client.lastFailure));
    client.emit("up", 1);
    client.connect();
    await statuses.until((status) => status.state === "connected");
    await client.request("echo", "done");
    equal(await scene.world.numbers(client.sessionId), [1001, 1002, 1003, 1]);
    ok(
      why[0].endsWith("could not be set up: Error: no token") && why[1].endsWith("took too long"),
      `${why}`,
    );
    throws(() => left[0].emit("up", 2), "session-lost");
  },

  async "a client that is closed in its set-up ends"(scene) {
    const onSession = async () => {
      client.close();
      throw new Error("refused for good");
    };
    const client = scene.client({ onSession });
    client.emit("up", 1);
    equal((await fails(client.connect(), "closed")).closeCode, 1000);
    const ended = await scene.world.journal((entries) =>
      entries.some(({ kind }) => kind === "disconnected"),
    );
    equal(
      ended.filter(({ kind }) => kind === "up"),
      [],
    );
  },

  async "a session moves between the transports without loss"(scene) {
    const all = ["websocket", "sse", "polling"].filter(
      (transport) => transport !== "websocket" || typeof WebSocket === "function",
    );
    const client = scene.client({ transports: all });
    const downs = scene.downs(client);
    await client.connect();
    const session = client.sessionId;
    let number = 0;
    for (const target of [...all.slice(1), all[0], scene.transport]) {
      client.switchTransport(target);
      for (let served = 0; served < 10; served += client.transport === target ? 1 : 0) {
        number += 1;
        client.emit("up", number);
        client.emit("down-again", number);
        equal(await downs.take(1), [number]);
      }
    }
    await client.request("echo", "done");
    equal(await scene.world.numbers(session), through(number));
    equal(client.sessionId, session);
    ok(client.stats.transportSwitches >= all.length - 1, JSON.stringify(client.stats));
  },

  async "a replayed POST is harmless"(scene) {
    await scene.world.do("replay-posts", { on: true });
    const client = await scene.connected();
    const session = client.sessionId;
    for (const number of through(30)) {
      client.emit("up", number);
      await client.request("echo", "between");
    }
    equal(await scene.world.numbers(session), through(30));
  },

  async "answers that end in the middle lose nothing"(scene) {
    const client = scene.client();
    const downs = scene.downs(client);
    await client.connect();
    const session = client.sessionId;
    for (let round = 0; round < 3; round += 1) {
      await scene.world.do("cut-mid-body", { after: 40 });
      for (let number = 1; number <= 20; number += 1) client.emit("up", round * 20 + number);
      await scene.world.emitDown(session, round * 20 + 1, round * 20 + 20);
      equal(
        await downs.take(20),
        through(20).map((number) => round * 20 + number),
      );
    }
    equal(await scene.world.numbers(session, 60), through(60));
  },

  async "a slow network keeps the order"(scene) {
    await scene.world.do("delay", { each_way: 20, jitter: 60 });
    const client = scene.client();
    const downs = scene.downs(client);
    await client.connect();
    for (const number of through(40)) {
      client.emit("up", number);
      if (number % 10 === 0) await client.request("echo", "between");
    }
    await client.request("count-down", 40);
    equal(await downs.take(40), through(40));
    equal(await scene.world.numbers(client.sessionId), through(40));
  },

  "a connection that went dead is noticed and replaced": {
    settings: short,
    async run(scene) {
      const { world } = scene;
      const client = scene.client();
      const downs = scene.downs(client);
      await client.connect();
      await client.request("echo", "here");
      const session = client.sessionId;
      const statuses = scene.statuses(client);
      await world.do("mute", { direction: "both" });
      for (const number of through(20)) client.emit("up", number);
      await world.emitDown(session, 1, 20);
      await statuses.until((status) => status.state !== "connected");
      await world.do("mute", { direction: null });
      equal(await downs.take(20), through(20));
      equal(await world.numbers(session, 20), through(20));
      equal(client.sessionId, session);
    },
  },

  async "a killed server is noticed and the client learns what is unknown"(scene) {
    const { world } = scene;
    const client = await scene.connected();
    await client.request("echo", "confirmed");
    const before = client.sessionId;
    const statuses = scene.statuses(client);
    const hanging = fails(client.request("hang", null, { timeout: 60_000 }), "session-lost");
    await world.numbers(before, 1);
    await world.do("restart");
    const lost = await statuses.until((status) => status.state === "session-lost");
    equal([lost.code, lost.confirmed + lost.unknown], [4101, 2]);
    const { retryable, sent } = await hanging;
    equal([retryable, sent], [true, true]);
    await statuses.until((status) => status.state === "connected");
    equal(await client.request("echo", "anew"), "anew");
    ok(client.sessionId !== before, "a new session was opened");
    equal(client.stats.sessionsLost, 1);
  },

  async "a client may stop when its session is lost"(scene) {
    const client = await scene.connected({ onSessionLost: "stop" });
    await client.request("echo", "here");
    const statuses = scene.statuses(client);
    await scene.world.do("restart");
    await statuses.until((status) => status.state === "session-lost");
    equal((await statuses.until((status) => status.state === "closed")).code, 4101);
    equal(throws(() => client.emit("up", 1), "closed").closeCode, 4101);
  },

  "a drained server sends its clients away and they come back": {
    settings: { drain_spread: 200 },
    async run(scene) {
      const client = await scene.connected();
      await client.request("echo", "here");
      const statuses = scene.statuses(client);
      equal(await scene.world.do("drain"), 0);
      await statuses.until((status) => status.state === "waiting");
      await scene.world.do("succeed");
      equal(await client.request("echo", "back"), "back");
    },
  },
};
