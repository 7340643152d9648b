// The packets that the application sends, and the store that keeps them for a later page.

import * as acts from "../acts.js";
import { now } from "../clock.js";
import * as desk from "../desk.js";
import { packet } from "../payload.js";
import { line, sizeOf } from "../wire.js";
import { fail, isName } from "../words.js";
import { closedError } from "./status.js";

/** Sends an event or a request, and returns its number. */
export const send = (client, kind, name, payload, bytes, deadline) => {
  const [packet, size] = pack(client, kind, name, payload, bytes);
  const id = client._call(client._emits, packet, size, deadline, now());
  if (id == acts.FULL)
    fail("full", "the outbox limit is reached: wait until the server has caught up");
  if (id < 0) throw closedError(client);
  if (client._ready) store(client, packet, client._emits == acts.EMIT);
  client._wake();
  return id;
};

export const emit = (client, name, payload, bytes) => {
  send(client, "e ", name, payload, bytes, 0);
};

/** The packet of a name and a payload, and its size. */
export const pack = (client, kind, name, payload, bytes) => {
  if (!isName(name))
    fail("invalid-name", "a name is 1 to 128 bytes without spaces and control characters");
  return measured(client, kind + name, payload, bytes);
};

/** The packet and its size, which is exact near the limit. */
export const measured = (client, head, payload, bytes) => {
  const made = packet(head, payload, bytes);
  const size = sizeOf(made, made.length * 3 > client._limit);
  if (size > client._limit)
    fail("too-large", `the server takes packets of ${client._limit} bytes at most`);
  return [made, size];
};

/** Stores a packet behind the last one, or later, when held packets have moved behind it. */
export const store = (client, packet, isLast) => {
  if (isLast) client._keeper?.put(line(packet));
  else client._moved = 1;
};

/** Stores the changes. */
export const keep = (client) => {
  if (!client._keeper) return;
  client._call(acts.POSITION);
  client._keeper.sync(...desk.takeNumbers());
  if (client._moved) client._keeper.renew(unconfirmed(client));
  client._moved = 0;
};

/** The lines that the server has not confirmed. */
export const unconfirmed = (client) => {
  client._call(acts.KEPT);
  return desk.takeParts().map(line);
};

/** The batch to send; its packets are stored first. */
export const batch = (client) => {
  const parts = desk.takeParts();
  keep(client);
  return parts;
};
