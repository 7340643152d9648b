/** Stories in which someone is told no. */

import { equal, fails, ok, throws, through } from "../expect.js";

export const failing = {
  async "failures reach the caller with code and payload"(scene) {
    const client = await scene.connected();
    const failed = await fails(client.request("fail", "not-today"), "not-today");
    equal(failed.payload, "as you wished");
    ok(
      failed instanceof scene.BowlineError && failed instanceof Error,
      "it is an error of the module",
    );
    await fails(client.request("nobody-handles-this", 1), "no-handler");
    await fails(client.request("up", "not a number"), "invalid-payload");
    await fails(client.request("panic"), "internal");
    equal(await client.request("echo", "well"), "well");
  },

  async "what a handler of the client throws reaches the server"(scene) {
    const client = scene.client();
    client.handle("down", (number) => {
      if (number === 1) throw new scene.BowlineError("not-mine", "no", { why: "it is not" });
      throw new Error("a secret, thrown on purpose");
    });
    await client.connect();
    const chosen = await fails(client.request("ask-back", 1), "no-answer");
    ok(chosen.payload.includes("not-mine"), `${chosen.payload}`);
    const careless = await fails(client.request("ask-back", 2), "no-answer");
    ok(!careless.payload.includes("secret"), `${careless.payload}`);
    equal(await client.request("echo", "well"), "well");
  },

  async "a question that waits for itself is refused"(scene) {
    const client = scene.client();
    client.handle("down", async () => {
      await client.request("echo", "within", { timeout: 5_000 });
    });
    await client.connect();
    const { payload } = await fails(client.request("ask-back", 7), "no-answer");
    ok(payload.includes("would-deadlock"), `${payload}`);
    equal(await client.request("echo", "well"), "well");
  },

  async "a question that nobody waits for is answered in its turn"(scene) {
    const client = scene.client();
    const asked = [];
    const ask = (text) => asked.push(client.request("echo", text));
    client.handle("down", (number) => {
      ask("by the handler");
      if (number === 1) return 2;
      return fails(asked[1], "would-deadlock").then(() => {
        ask("beside it");
        return 3;
      });
    });
    await client.connect();
    equal(await client.request("ask-back", 1), 2);
    equal(await client.request("ask-back", 2), 3);
    equal([await asked[0], await asked[2]], ["by the handler", "beside it"]);
  },

  async "unanswered requests time out"(scene) {
    const client = await scene.connected({ requestTimeout: 60 });
    const begun = performance.now();
    const { retryable, sent } = await fails(client.request("hang"), "timeout");
    equal([retryable, typeof sent], [true, "boolean"]);
    await fails(client.request("hang", null, { timeout: 50 }), "timeout");
    ok(performance.now() - begun > 100, "not before their time");
  },

  async "an aborted request ends at once"(scene) {
    const client = await scene.connected();
    const abort = new AbortController();
    const hanging = client.request("hang", null, { signal: abort.signal });
    await scene.world.numbers(client.sessionId, 1);
    abort.abort();
    equal((await fails(hanging, "aborted")).sent, true);
    equal((await fails(client.request("up", 1, { signal: abort.signal }), "aborted")).sent, false);
    equal(await scene.world.numbers(client.sessionId), [0], "what was aborted before is not sent");
  },

  async "a refused client learns the reason"(scene) {
    const client = scene.client({ auth: "wrong" });
    const refused = await fails(client.connect(), "closed");
    equal([refused.closeCode, refused.payload], [4300, "the password is wrong"]);
    equal(client.status, { state: "closed", code: 4300, reason: "the password is wrong" });
    equal(throws(() => client.emit("up", 1), "closed").closeCode, 4300);
    equal(await scene.world.journal(), []);
  },

  async "authentication may be asked for"(scene) {
    let asked = 0;
    const auth = async () => ((asked += 1) === 1 ? "right" : "wrong");
    const client = await scene.connected({ auth });
    equal([await client.request("echo", "in"), asked], ["in", 1]);
    // A new session asks anew.
    const statuses = scene.statuses(client);
    await scene.world.do("restart");
    equal((await statuses.until((status) => status.state === "closed")).code, 4300);
    equal(asked, 2);
  },

  async "a session goes on with each new authentication"(scene) {
    let asked = 0;
    const client = await scene.connected({ auth: async () => `token ${asked++}` });
    const session = client.sessionId;
    await client.request("trust-for", 2000);
    const isRefresh = (entry) => entry.kind === "refreshed" && entry.session === session;
    await scene.world.journal((entries) => entries.filter(isRefresh).length >= 2);
    equal([client.sessionId, client.stats.reconnects], [session, 0]);
    ok(asked >= 3, "it was asked for each");
  },

  async "a new authentication may be refused"(scene) {
    let asked = 0;
    const client = await scene.connected({ auth: () => (asked++ ? "wrong" : "right") });
    const statuses = scene.statuses(client);
    await client.request("trust-for", 2000);
    const { code, reason } = await statuses.until((status) => status.state === "closed");
    equal([code, reason], [4309, "the new password is wrong"]);
  },

  async "a closed client has flushed and the server knows why"(scene) {
    const client = await scene.connected();
    const session = client.sessionId;
    for (const number of through(50)) client.emit("up", number);
    await client.close();
    const isEnd = (entry) => entry.kind === "disconnected" && entry.session === session;
    const entries = await scene.world.journal((entries) => entries.some(isEnd));
    equal(entries.at(-1).code, 1000);
    equal(await scene.world.numbers(session), through(50));
    throws(() => client.emit("up", 51), "closed");
    await fails(client.request("echo", "late"), "closed");
    equal(client.status, { state: "closed", code: 1000 });
    await client.close();
  },

  async "a kicked client learns the code and stays away"(scene) {
    const client = await scene.connected();
    const statuses = scene.statuses(client);
    client.emit("kick-me");
    const kicked = await statuses.until((status) => status.state === "closed");
    equal(kicked, { state: "closed", code: 4501, reason: "you asked" });
    await scene.world.journal((entries) => entries.some((entry) => entry.code === 4501));
  },

  async "a packet over the limit is refused where it is sent"(scene) {
    const client = await scene.connected();
    throws(() => client.emit("echo", "x".repeat(1024 * 1024)), "too-large");
    throws(() => client.emit("echo", null, new Uint8Array(1024 * 1024)), "too-large");
    await fails(client.request("echo", "x".repeat(1024 * 1024)), "too-large");
    equal(await client.request("echo", "well"), "well");
  },

  async "a full outbox refuses and takes again"(scene) {
    const client = await scene.connected({ outboxLimit: 4_000 });
    await client.request("echo", "here");
    const statuses = scene.statuses(client);
    await scene.world.do("refuse-connections", { on: true });
    await scene.world.cut();
    await statuses.until((status) => status.state !== "connected");
    let sent = 0;
    const full = throws(() => {
      for (; ; sent += 1) client.emit("up", sent + 1);
    }, "full");
    ok(full.retryable, "it may succeed later");
    ok(sent > 10 && sent < 2_000, `${sent} fitted in`);
    await scene.world.do("refuse-connections", { on: false });
    equal(await scene.world.numbers(client.sessionId, sent), through(sent));
    // What has arrived takes room until its confirmation is back.
    while (client.stats.inFlight > 0) await client.ping();
    equal(await client.request("echo", "room again"), "room again");
  },

  async "an option that nobody knows is refused, and names those that there are"(scene) {
    const wrong = throws(() => new scene.Client(scene.mount, { timeot: 5 }), "invalid-option");
    ok(wrong.message.includes("timeot") && wrong.message.includes("requestTimeout"), wrong.message);
    const client = scene.client();
    for (const call of [
      () => client.on("down", () => {}, { sinal: 1 }),
      () => client.events("down", { once: true }),
      () => client.onStatus(() => {}, { once: true }),
    ])
      throws(call, "invalid-option");
    await fails(client.request("echo", 1, { timeot: 5 }), "invalid-option");
    await fails(client.once("down", { timeout: 5 }), "invalid-option");
  },

  async "credentials in a URL are refused with the reason"(scene) {
    const wrong = throws(
      () => new scene.Client("http://me:hush@localhost/bowline"),
      "invalid-option",
    );
    ok(wrong.message.includes("credentials") && !wrong.message.includes("hush"), wrong.message);
  },

  async "what cannot be sent is refused by name"(scene) {
    const client = scene.client();
    for (const name of [
      "",
      "two words",
      "line\nbreak",
      "\u0007",
      "x".repeat(129),
      "ü".repeat(65),
    ]) {
      throws(() => client.emit(name, 1), "invalid-name");
    }
    for (const options of [
      { transports: [] },
      { transports: ["pigeon"] },
      { onSessionLost: "stopp" },
    ]) {
      throws(() => new scene.Client(scene.mount, options), "invalid-option");
    }
    throws(() => new scene.Client("ftp://example.org/bowline"), "invalid-option");
  },
};
