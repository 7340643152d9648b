// Requests to the server and their answers.

import * as acts from "../acts.js";
import { now } from "../clock.js";
import { BowlineError } from "../error.js";
import { until } from "../until.js";
import { fail, isName, known } from "../words.js";
import { field, payloadAt } from "./incoming.js";
import { send } from "./outgoing.js";
import { LONGEST } from "./timer.js";

export const request = (client, name, payload, options) =>
  new Promise((resolve, reject) => {
    let { timeout, signal, bytes } = known(options, " timeout signal bytes ");
    const give = (code, message) => {
      const unsent = client._call(acts.FORGET, entry.id);
      client._moved ||= unsent;
      client._pending.delete(entry.id);
      entry.settled();
      reject(withoutAnswer(code, message, !unsent));
      client._wake();
    };
    const entry = { resolve, reject };
    if (signal?.aborted) return reject(withoutAnswer("aborted"));
    timeout ??= client._options.requestTimeout ?? 2e4;
    const within = client._within + name;
    entry.id = send(client, "q ", isName(within) ? within : name, payload, bytes, now() + timeout);
    // Once loaded, the engine handles the timeout.
    const timer =
      client._ready || timeout > LONGEST
        ? 0
        : setTimeout(() => client._ready || give("timeout", LATE), timeout);
    const spared = until(signal, () => give("aborted"));
    entry.settled = () => {
      clearTimeout(timer);
      spared();
    };
    client._pending.set(entry.id, entry);
  });

/** Ends a request: `read` returns the reply, or throws the error. */
export const settle = (client, number, read) => {
  const entry = client._pending.get(number);
  if (!entry) return;
  client._pending.delete(number);
  entry.settled();
  try {
    entry.resolve(read());
  } catch (error) {
    entry.reject(error);
  }
};

export const replied = (client, [at, number]) =>
  settle(client, number, () => {
    const [payload, bytes, json] = payloadAt(client, at);
    return !bytes ? payload : json ? { payload, bytes } : bytes;
  });

export const failed = (client, [at, number]) =>
  settle(client, number, () => {
    const code = field(client, client._line.indexOf(" ", 2) + 1, at);
    const [payload, bytes] = payloadAt(client, at);
    const words = typeof payload == "string" ? ": " + payload : "";
    fail(code, "the server answered with " + code + words, payload, bytes);
  });

/** Ends a request that the engine has given up. */
export const unanswered = (client, code, message, [sent, id]) => {
  if (!sent) client._moved = 1;
  settle(client, id, () => {
    throw withoutAnswer(code, message, sent);
  });
};

/** A request that was made before the engine was loaded gets the engine's number. */
export const renumber = (client, before, id) => {
  const entry = client._pending.get(before);
  if (!entry) return;
  client._pending.delete(before);
  entry.id = id;
  client._pending.set(id, entry);
};

/** The error of a request without an answer. If it was not sent, it never will be. */
const withoutAnswer = (code, message, sent) => {
  const end = sent ? "; the server may have handled the request" : "; the request was never sent";
  const error = new BowlineError(code, message && message + end);
  error.sent = !!sent;
  return error;
};

export const LATE = "no answer came in time";
