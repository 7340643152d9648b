// What refuses a client, in the order of the numbers that the engine has for it.

/** Code to what it means and what to change. The README says more. */
export const CAUSES = {
  "unauthorized": "something before the server wants credentials",
  "forbidden": "something before the server forbids it",
  "not-found": "no Bowline server at this path",
  "method-not-allowed": "",
  "proxy-authentication": "a proxy wants credentials",
  "redirected": "redirects are never followed: use the URL to which it leads",
  "rejected": "",
  "not-bowline": "something else than a Bowline server answers",
  "tls-expected": "this port expects https",
  "tls-missing": "",
  "untrusted-certificate": "",
  "no-websocket": "",
  "too-many-requests": "",
  "unavailable": "",
  "unknown-host": "",
  "connection-refused": "",
};
