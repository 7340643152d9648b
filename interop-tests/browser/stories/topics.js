/** Stories about topics: who is let in, what arrives, and what becomes of it in a new session. */

import { equal, fails, ok, through } from "../expect.js";

export const topics = {
  async "a topic is what the server grants"(scene) {
    const client = await scene.connected();
    await fails(scene.subscribe(client, "nothing/here"), "no-topic");
    await fails(scene.subscribe(client, "wall//a"), "invalid-topic");
    const refused = await fails(scene.subscribe(client, "locked/a"), "not-granted");
    equal(refused.payload, "nobody has the key");
    const wall = await scene.subscribe(client, "wall/a");
    ok(wall.mayPublish);
    equal(await scene.publish(client, "wall/a", "said", { text: "hello" }), undefined);
    await scene.publish(client, "wall/a", "image", null, { bytes: new Uint8Array([1, 2]) });
    equal(await take(wall, 2), [
      { topic: "wall/a", name: "said", payload: { text: "hello" } },
      { topic: "wall/a", name: "image", payload: null, bytes: new Uint8Array([1, 2]) },
    ]);
    await fails(scene.publish(client, "wall/b", "said", 1), "not-granted");
  },

  async "each subscription receives a message once"(scene) {
    const client = await scene.connected();
    const names = ["log/a", "log/a", "log/*", "wall/a", "wall/*"];
    const subscriptions = await Promise.all(names.map((name) => scene.subscribe(client, name)));
    for (const number of through(3)) {
      await scene.publish(client, "log/a", "said", number);
      await scene.publish(client, "wall/a", "said", number);
    }
    for (const subscription of subscriptions) {
      const payloads = (await take(subscription, 3)).map(({ payload }) => payload);
      equal(payloads, through(3), subscription.topic);
    }
  },

  async "an event that is published again with its id is one event"(scene) {
    const client = await scene.connected();
    const [log, all] = [
      await scene.subscribe(client, "log/once"),
      await scene.subscribe(client, "log/*"),
    ];
    const id = crypto.randomUUID();
    const first = await scene.publish(client, "log/once", "said", 1, { id });
    equal(await scene.publish(client, "log/once", "said", 1, { id }), first);
    await scene.publish(client, "log/once", "said", 2);
    for (const subscription of [log, all]) {
      const payloads = (await take(subscription, 2)).map(({ payload }) => payload);
      equal(payloads, [1, 2], subscription.topic);
    }
    await scene.subscribe(client, "wall/once");
    await fails(scene.publish(client, "wall/once", "said", 1, { id }), "no-history");
    await fails(scene.publish(client, "log/once", "said", 1, { id: "1" }), "invalid-id");
  },

  async "a subscription that is left receives no more"(scene) {
    const client = await scene.connected();
    const abort = new AbortController();
    const left = await scene.subscribe(client, "wall/left");
    const aborted = await scene.subscribe(client, "wall/aborted", { signal: abort.signal });
    await scene.publish(client, "wall/left", "said", 1);
    for await (const { payload } of left) {
      equal(payload, 1);
      break;
    }
    abort.abort();
    for await (const message of aborted) ok(false, JSON.stringify(message));
    equal([left.code, aborted.code], ["closed", "closed"]);
    for (const topic of ["wall/left", "wall/aborted"])
      await fails(scene.publish(client, topic, "said", 2), "not-granted");
  },

  async "a late subscriber gets the history and misses nothing through cuts"(scene) {
    const client = await scene.connected();
    const other = await scene.connected();
    await scene.subscribe(other, "log/late");
    for (const number of through(5)) await scene.publish(other, "log/late", "said", number);
    const log = await scene.subscribe(client, "log/late", { since: { last: 2 } });
    equal(log.position.offset, 5);
    const published = (async () => {
      for (let number = 6; number <= 60; number += 1) {
        await scene.publish(other, "log/late", "said", number);
        if (number % 20 == 0) await scene.world.cut();
      }
    })();
    const messages = await take(log, 57);
    await published;
    equal(
      messages.map(({ at }) => at.offset),
      through(60).slice(3),
    );
    equal(
      messages.map(({ payload }) => payload),
      through(60).slice(3),
    );
  },

  async "a new session subscribes again from where the last one was"(scene) {
    const client = await scene.connected();
    const other = await scene.connected();
    await Promise.all(["log/again", "wall/again"].map((name) => scene.subscribe(other, name)));
    const log = await scene.subscribe(client, "log/again");
    const wall = await scene.subscribe(client, "wall/again");
    await scene.publish(other, "log/again", "said", 1);
    equal((await take(log, 1))[0].payload, 1);
    const lost = client.sessionId;
    client.emit("lose-me");
    for (const number of [2, 3]) await scene.publish(other, "log/again", "said", number);
    equal(
      (await take(log, 2)).map(({ payload }) => payload),
      [2, 3],
    );
    equal(await take(wall, 1), [{ missing: "unknown" }]);
    ok(client.sessionId != lost);
    await scene.publish(other, "wall/again", "said", 4);
    // It may have been published before the new session was subscribed.
    await client.request("echo", "the subscription is there");
    await scene.publish(other, "wall/again", "said", 5);
    let message;
    do [message] = await take(wall, 1);
    while (message.payload != 5);
  },

  async "a grant is renewed while the application grants it, and then ends"(scene) {
    const client = await scene.connected();
    const brief = await scene.subscribe(client, "brief/two");
    const messages = [];
    for await (const message of brief) messages.push(message);
    equal([messages, brief.code], [[], "not-granted"]);
    const revoked = await scene.subscribe(client, "wall/revoked");
    client.emit("revoke", "wall/revoked");
    for await (const message of revoked) ok(false, JSON.stringify(message));
    equal(revoked.code, "revoked");
  },

  async "a position that the history does not have hides no message"(scene) {
    const client = await scene.connected();
    const wall = await scene.subscribe(client, "wall/p", {
      since: { after: { epoch: "x", offset: 9 } },
    });
    equal(wall.position, undefined);
    const log = await scene.subscribe(client, "log/p");
    const { epoch } = await scene.publish(client, "log/p", "said", 1);
    equal((await take(log, 1))[0].payload, 1);
    log.close();
    const ahead = { after: { epoch, offset: 1000 } };
    const again = await scene.subscribe(client, "log/p", { since: ahead });
    await scene.publish(client, "log/p", "said", 2);
    const [missed, message] = await take(again, 2);
    equal([missed, message.payload], [{ missing: "unknown" }, 2]);
  },

  async "a refusal of one subscription ends all of its name"(scene) {
    const client = await scene.connected();
    const both = await Promise.all([1, 2].map(() => scene.subscribe(client, "brief/both")));
    for (const subscription of both) {
      for await (const { payload } of subscription) equal(payload, undefined);
      equal(subscription.code, "not-granted");
    }
  },
};

/** The next items. */
async function take(subscription, count) {
  const iterator = subscription[Symbol.asyncIterator]();
  const items = [];
  while (items.length < count) items.push((await iterator.next()).value);
  return items;
}
