// Node, Bun and Deno report why a request failed, and send headers.

import { host } from "./host.js";
import { fail } from "./words.js";

const PROXY_AUTHENTICATION = 5;
const TLS_EXPECTED = 9;
const UNTRUSTED = 11;

/** Numbers of causes, and the patterns that identify them. */
const SIGNS = [
  [UNTRUSTED, /cert|leaf_signature/i],
  [10, /wrong.version|packet.length|corrupt message|record.layer/i],
  [15, /enotfound|eai_again|dns error/i],
  [16, /refused|failedtoopensocket/i],
];

const explain = async (error, url) => {
  const { cause = error } = Object(error);
  const text = cause.code || cause.message || "" + error;
  // The error that `fetch` throws for a 407 has no message.
  if (cause != error && !cause.code && cause.message == "")
    return ["HTTP 407", PROXY_AUTHENTICATION];
  const [number] = SIGNS.find(([, sign]) => sign.test(cause.code + " " + cause.message)) ?? [];
  const refused =
    number ||
    (error instanceof Error && url.startsWith("http:") && (await speaksTls(url)) && TLS_EXPECTED);
  return [text, refused || 0];
};

const asked = new Map();

/**
 * Whether a port that was asked without TLS expects it. The request contains nothing but the path,
 * and is sent once.
 */
const speaksTls = (url) => {
  if (!asked.has(url)) asked.set(url, probe(url.replace("http", "https") + "/health"));
  return asked.get(url);
};

const probe = async (url) => {
  try {
    return await fetch(url, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch ({ cause = {}, message }) {
    // A server with a certificate expects TLS.
    return SIGNS[0][1].test([cause.code, cause.message, message]);
  }
};

/** Opens a WebSocket with headers, where the runtime accepts them. */
const socket = (url, headers) => {
  if (!headers) return new WebSocket(url);
  let read;
  const socket = new WebSocket(url, {
    get headers() {
      read = true;
      return headers;
    },
  });
  if (read) return socket;
  socket.close();
  throw "it takes no headers";
};

/**
 * The application's headers, or the result of its function. An invalid one may be a secret, so
 * errors do not show it.
 */
const headers = async (given) => checked(typeof given == "function" ? await given() : given);

const checked = (given) => {
  try {
    return Object.fromEntries(new Headers(given));
  } catch {
    fail("invalid-option", "a name or value in headers cannot be sent");
  }
};

const takes = (given) => typeof given == "function" || checked(given);

if (globalThis.process?.versions?.node) Object.assign(host, { explain, headers, socket, takes });

/** Milliseconds: much shorter than the head start of a transport. */
const PATIENCE = 750;
