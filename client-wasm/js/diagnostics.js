// What a client has found out about its network, as a text for administrators. Needs nothing of a
// client, so that pages that do not show it do not load it.

/** The text for what `client.diagnostics()` has returned. */
export const describe = ({ url, transport: present, found }) => {
  const lines = [url + (present ? ": connected over " + present : ": not connected") + "."];
  for (const transport in NEEDS) {
    if (transport == present) break;
    const obstacle = found.findLast(
      (one) => one.transport == transport && OBSTACLES.includes(one.finding),
    );
    if (!obstacle) continue;
    // A cause that affects every transport does not concern this one.
    const { code } = obstacle;
    const need = !(code in MEANINGS) || (present && OWN.includes(code));
    lines.push(
      `${transport} is not used: it ${sentence(obstacle)}.` +
        (need ? ` It needs ${NEEDS[transport]}.` : ""),
    );
  }
  for (const one of found) {
    const at = (one.at / 1e3).toFixed(3).padStart(9);
    lines.push(at + " s  " + one.transport.padEnd(9) + "  " + sentence(one));
  }
  return lines.join("\n");
};

/** What happened, after which time, and why. */
const sentence = ({ finding, duration, code, detail }) => {
  const time = duration < 1e4 ? duration + " ms" : Math.floor(duration / 1e3) + " s";
  const why = code > 999 ? ["closed with the code " + code] : [detail, MEANINGS[code]];
  return [FINDINGS[finding].replace("#", time), ...why].filter(Boolean).join(": ");
};

const FINDINGS = {
  tried: "is tried",
  slow: "had not opened after #",
  failed: "failed after #",
  serves: "serves after #",
  lost: "was lost after #",
  avoided: "is left alone for #",
  trial: "is tried again beside the present one",
  "trial-failed": "failed again after #",
  proven: "has proven itself and takes over after #",
};
const OBSTACLES = ["slow", "failed", "lost", "trial-failed"];

/** What the codes of causes mean. The README lists what to change. */
const MEANINGS = {
  unauthorized: "something before the server wants credentials",
  forbidden: "something before the server forbids it",
  "not-found": "no Bowline server at this path",
  "method-not-allowed": "no Bowline server at this path",
  "proxy-authentication": "a proxy wants credentials",
  redirected: "redirects are never followed, use the final URL",
  rejected: "something before the server refuses it",
  "not-bowline": "something else than a Bowline server answers",
  "tls-expected": "this port expects https",
  "tls-missing": "this port speaks http only",
  "untrusted-certificate": "nobody trusts the certificate",
  "no-websocket": "this runtime has no WebSocket for it",
  "too-many-requests": "too many requests",
  unavailable: "the server or a proxy fails",
  "unknown-host": "nobody knows the host",
  "connection-refused": "nothing listens there",
};

/** Causes that may concern one transport only. */
const OWN = [
  "forbidden",
  "not-found",
  "method-not-allowed",
  "rejected",
  "not-bowline",
  "unavailable",
];

/** What an administrator must change. */
const NEEDS = {
  websocket:
    "every proxy on the way to pass the headers Upgrade and Connection of GET requests to /ws" +
    " below this address, and to leave the connection open",
  sse:
    "every proxy on the way to pass on responses of /sse below this address as they come, without" +
    " collecting them first",
  polling:
    "POST requests to /poll and /post below this address, which may take as long as the server's" +
    " heartbeat",
};
