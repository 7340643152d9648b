// The status of a client, and the error of a client that is closed.

import { why } from "../causes.js";
import { BowlineError } from "../error.js";

/** Sets the status, and notifies the application. */
export const stand = (client, status) => {
  client._status = status;
  for (const watcher of client._watchers) watcher(status);
};

export const connecting = (client, transport) => {
  const { state, transport: present } = client._status;
  if (state != "connecting" || transport != present)
    stand(client, { state: "connecting", transport });
};

/** Stores why a carrier or attempt has failed. */
export const noteFailure = (client, words, code) => {
  client._lastFailure = why(words, code) || client._lastFailure;
};

export const closedError = (client, { code, reason } = client._status) => {
  if (client._broken) return client._broken;
  const said = typeof reason == "string" ? ` (${reason})` : "";
  const error = new BowlineError(
    "closed",
    "the client is closed" + (code ? ": " + code + said : ""),
    reason,
  );
  error.closeCode = code;
  return error;
};

/** Ends everything that waits for the client. */
export const end = (client) => {
  // A later page may succeed with the session.
  client._keeper?.end(client._broken);
  client._pings.splice(0).forEach(({ reject }) => reject(closedError(client)));
  for (const closer of client._closers) closer();
  client._closers.clear();
};
