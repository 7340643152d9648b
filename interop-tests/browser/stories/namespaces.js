/** Stories about namespaces: who is let in, and what becomes of a membership. */

import { equal, fails, ok, through } from "../expect.js";

export const namespaces = {
  async "a refused namespace leaves the others alone"(scene) {
    const client = await scene.connected();
    const [side, none] = ["/side", "/none"].map((name) => scene.namespace(client, name));
    await fails(none.join("key"), "no-namespace");
    const refused = await fails(side.join("no key"), "refused");
    equal(refused.payload, { code: 4300, reason: "a wrong key" });
    ok(!side.isJoined);
    await fails(side.request("note", 1), "no-namespace");
    const noted = collected(side);
    await side.join(async () => "key");
    side.emit("note", 1);
    equal(await noted.take(1), [1]);
    side.emit("leave-me");
    equal(await side.ended, { code: "kicked", reason: "enough" });
    await side.join("key");
    side.emit("note", 2);
    equal(await noted.take(1), [2]);
    await side.leave();
    equal([side.isJoined, side.end.code], [false, "left"]);
    await fails(side.request("note", 1), "no-namespace");
    equal(await client.request("echo", "still here"), "still here");
  },

  async "a namespace goes on through cuts, and in a new session before what is queued"(scene) {
    const client = scene.client({ onSession: (setup) => scene.rejoin(client, setup) });
    await client.connect();
    const side = scene.namespace(client, "/side");
    const noted = collected(side);
    await side.join("key");
    for (const number of through(40)) {
      side.emit("note", number);
      if (number % 20 == 0) await scene.world.cut();
    }
    equal(await noted.take(40), through(40));
    const lost = client.sessionId;
    const isLost = scene.statuses(client).until(({ state }) => state == "session-lost");
    client.emit("lose-me");
    await isLost;
    side.emit("note", 41);
    equal(await noted.take(1), [41]);
    ok(client.sessionId != lost && side.isJoined);
  },

  async "a client without a set-up joins again in a new session"(scene) {
    const client = await scene.connected();
    const side = scene.namespace(client, "/side");
    const noted = collected(side);
    await side.join("key");
    const lost = client.sessionId;
    const statuses = scene.statuses(client);
    client.emit("lose-me");
    await statuses.until(({ state, resumed }) => {
      return state == "connected" && !resumed && client.sessionId != lost;
    });
    // The client's request to join is before this one.
    side.emit("note", 1);
    equal(await noted.take(1), [1]);
  },
};

/** The numbers that arrive in a namespace. */
function collected(side) {
  const numbers = [];
  let notify = () => {};
  side.on("noted", (number) => {
    numbers.push(number);
    notify();
  });
  return {
    async take(count) {
      while (numbers.length < count) await new Promise((resolve) => (notify = resolve));
      return numbers.splice(0, count);
    },
  };
}
