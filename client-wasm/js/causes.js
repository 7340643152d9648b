// The causes of refusals, in the order of the engine's numbers: a code, and what it means. The
// README lists what to change.

const CAUSES = [
  "",
  "unauthorized: something before the server wants credentials",
  "forbidden: something before the server forbids it",
  "not-found: no Bowline server at this path",
  "method-not-allowed: no Bowline server at this path",
  "proxy-authentication: a proxy wants credentials",
  "redirected: redirects are never followed, use the final URL",
  "rejected: something before the server refuses it",
  "not-bowline: something else than a Bowline server answers",
  "tls-expected: this port expects https",
  "tls-missing: this port speaks http only",
  "untrusted-certificate: nobody trusts the certificate",
  "no-websocket: this runtime has no WebSocket for it",
  "too-many-requests: too many requests",
  "unavailable: the server or a proxy fails",
  "unknown-host: nobody knows the host",
  "connection-refused: nothing listens there",
];

export const OTHER = 8;
export const NO_WEBSOCKET = 12;

export const codeOf = (cause) => CAUSES[cause].split(":")[0];

/** Why something failed: the text, with the meaning of a cause or of a close code. */
export const why = (words, number) => {
  if (number > 999) return "closed with the code " + number;
  return [words, number && CAUSES[number].split(": ")[1]].filter(Boolean).join(": ");
};

/** True if the fault may concern this one transport only. */
export const isOwn = (cause) => /^([23478]|14)$/.test(cause);
