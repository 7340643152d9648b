// Parses the lines of the server for the engine, which receives their fields. Spec: 04-packets.

import { fromBase64 } from "./wire.js";
import { isName } from "./words.js";

// Kinds. A packet without a constant has the code of its type, in lower case.
export const UNKNOWN = 1; // a line of an unknown type; 0 is a malformed line
export const KEY = 2; // the key of an open
export const WELCOME = 119;
export const CLOSE = 120;

/**
 * The fields of a line: its kind; its number (a request's, a count of packets, or the code of a
 * close); the start of its payload, 0 without one. Then for a heartbeat its token; for a close
 * `retry`, `last` and the reason; for a welcome `recv`, `next`, the times, the limits, and the
 * bytes of the session and of its secret, if it has one. An absent number is -1.
 */
export const read = (line) => {
  if (/^ |^$|[\0-\x1f]/.test(line)) return [0];
  if (!/^([eqvrfcnhax]|[EQVRF]|welcome)( |$)/.test(line)) return [UNKNOWN];
  const type = line[0].toLowerCase();
  const is = (types) => types.includes(type);
  /** The space before the next field, -1 at the end of the line. */
  let at = line.indexOf(" ");
  const field = () => {
    const from = at + 1;
    at = from ? line.indexOf(" ", from) : -1;
    return from ? line.slice(from, at < 0 ? line.length : at) : "";
  };
  const count = is("rfcnx") ? number(field()) : 0;
  const word = is("eqvf") || (is("ha") && at > 0) ? field() || " " : "";
  const pairs = {};
  if (is("xw")) {
    PAIR.lastIndex = at;
    for (let found; (found = PAIR.exec(line)); at = line.indexOf(" ", PAIR.lastIndex)) {
      pairs[found[1]] = found[2];
    }
  }
  const { retry, last, sid, secret, recv, next, heartbeat, grace, window, packet, batch } = pairs;
  const values = [type.charCodeAt(), count, at + 1];
  if (is("ha")) values.push(word);
  if (is("x")) values.push(optional(retry), optional(last), at < 0 ? "" : line.slice(at + 1));
  if (is("w")) {
    const isValid =
      /^[\w-]{8}\.[\w-]{16}$/.test(sid) && (secret == null || isKey(secret)) && next != "0";
    values.push(...[recv, next, heartbeat, grace, window].map(number));
    values.push(optional(packet), optional(batch));
    values.push(...(isValid ? bytes(sid + (secret ?? "")) : [NaN]));
  }
  const isMore = is("cnhaw") && at >= 0;
  const isWrong =
    (word && !isName(word)) || (is("n") && !count) || (is("x") && (count < 1e3 || count > 4999));
  return isMore || isWrong || values.includes(NaN) ? [0] : values;
};

/** The key of an open, or a secret: 128 bits. */
export const isKey = (text) => /^[\w-]{21}[AQgw]$/.test(text);

/** Decodes base64url; the dot of a session id is ignored. */
export const bytes = (text) =>
  fromBase64(text.replace(".", "").replaceAll("-", "+").replaceAll("_", "/"));

const number = (text) => (/^(0|[1-9]\d{0,15})$/.test(text) && +text < 2 ** 53 ? +text : NaN);
const optional = (text) => (text == null ? -1 : number(text));

const PAIR = / ([a-z][^ =]*)=([^ ]*)/y;
