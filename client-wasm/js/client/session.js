// What begins a session: the authentication, the server's welcome, the application's set-up.

import * as acts from "../acts.js";
import { now } from "../clock.js";
import { json } from "../payload.js";
import { fail } from "../words.js";
import { emit, unconfirmed } from "./outgoing.js";
import { request } from "./requests.js";

/** The authentication, or the result of its function. */
export const auth = ({ _options: { auth } }) => (typeof auth == "function" ? auth() : auth);

/** Passes the authentication to the engine. */
export const introduce = async (client) => {
  let words;
  let failed = false;
  try {
    words = json(await auth(client)) ?? "";
  } catch (error) {
    failed = true;
    words = "no authentication: " + error;
  }
  client._call(acts.INTRODUCE, words, failed, now());
  client._wake();
};

/** The last line may be a welcome. */
export const welcomed = (client) => {
  const [, id] = / sid=(\S+)/.exec(client._line) || [];
  if (!id) return;
  client._sessionId = id;
  client._limit = client._call(acts.LIMIT);
  client._network.limit = Math.max(client._network.limit, 2 * client._limit);
  client._keeper?.open(client._line, unconfirmed(client));
};

/** Lets the application set the session up; its packets in the set-up go first. */
export const setUp = async (client, begin) => {
  const run = (client._run = {});
  if (!begin) return;
  welcomed(client);
  const ahead =
    (send) =>
    (...words) => {
      if (run != client._run) fail("session-lost", "the session that this was to set up is gone");
      client._emits = acts.EMIT_AHEAD;
      try {
        return send(client, ...words);
      } finally {
        client._emits = acts.EMIT;
      }
    };
  let why = "";
  try {
    await client._options.onSession({ emit: ahead(emit), request: ahead(request) });
  } catch (error) {
    why = "the session could not be set up: " + error;
  }
  if (run != client._run) return;
  client._call(acts.SET_UP, why, now());
  client._wake();
};
