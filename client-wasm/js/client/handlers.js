// Requests of the server, and the application's handlers that answer them.

import * as acts from "../acts.js";
import { now } from "../clock.js";
import { BowlineError } from "../error.js";
import { guarded, isName, report } from "../words.js";
import { field, payloadAt } from "./incoming.js";
import { measured, store } from "./outgoing.js";

/** Calls the handler of the present line, and sends its answer. */
export const asked = async (client, [at, number, epoch]) => {
  const handler = client._handlers.get(field(client, 2, at));
  let packet;
  try {
    if (!handler) throw new BowlineError("no-handler");
    const [payload, raw] = payloadAt(client, at);
    client._within = "bowline.within." + number + ".";
    let answer = handler(payload, raw);
    client._within = "";
    // A result that is there already is sent with the handler's other packets.
    if (answer?.then) answer = await answer;
    packet = measured(client, "r " + number, answer);
  } catch (error) {
    client._within = "";
    packet = failure(client, "f " + number + " ", error);
  }
  const answer = client._call(acts.REPLY, ...packet, epoch, now());
  if (answer) store(client, packet[0], client._status.state == "connected");
  client._wake();
};

/** Errors that are not meant for the server stay secret. */
const failure = (client, head, error) => {
  const { code, payload, bytes } = error instanceof BowlineError && isName(error.code) ? error : {};
  if (!code) report(error);
  return (
    guarded(() => measured(client, head + (code || "internal"), payload, bytes)) ??
    measured(client, head + "internal")
  );
};
