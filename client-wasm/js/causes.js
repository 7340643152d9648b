// The codes of the causes of refusals, in the order of the engine's numbers. `diagnostics.js` has
// the meaning of each, and the README lists what to change.

const CAUSES = [
  "",
  "unauthorized",
  "forbidden",
  "not-found",
  "method-not-allowed",
  "proxy-authentication",
  "redirected",
  "rejected",
  "not-bowline",
  "tls-expected",
  "tls-missing",
  "untrusted-certificate",
  "no-websocket",
  "too-many-requests",
  "unavailable",
  "unknown-host",
  "connection-refused",
];

export const OTHER = 8;
export const NO_WEBSOCKET = 12;

/** The code of a cause, undefined without one. */
export const codeOf = (cause) => CAUSES[cause] || undefined;

/** Why something failed: the text with the code of a cause, or a close code. */
export const why = (words, number) =>
  number > 999
    ? "closed with the code " + number
    : [words, codeOf(number)].filter(Boolean).join(": ");
