// Where strings and bytes become lines, and lines become strings and bytes. What the fields of a line
// mean is not known here; the engine reads them.

import { decoder, encoder } from "./utf8.js";

/**
 * A packet as the outbox keeps it: text as it is; with bytes a binary message (line, newline, raw bytes)
 * and what makes a line of it, because only the carrier decides between raw bytes and base64.
 */
export const pack = (head, json, bytes) => {
  json = json === undefined ? "" : " " + json;
  if (!bytes) return head + json;
  head = head[0].toUpperCase() + head.slice(1);
  const before = encoder.encode(head + json + "\n");
  // A copy, because the application may go on to change its array.
  const message = new Uint8Array(before.length + bytes.length);
  message.set(before);
  message.set(bytes, before.length);
  return { head, json, message, bytes: message.subarray(before.length) };
};

/** The packet as a line of text. */
export const line = (packet) =>
  packet.head ? packet.head + " " + (toBase64(packet.bytes) || "-") + packet.json : packet;

/** Bytes of the packet; of a text, unless they have to be exact, its units of UTF-16. */
export const sizeOf = (packet, exact) => {
  if (packet.head) return packet.message.length;
  return exact && /[^\0-\x7f]/.test(packet) ? encoder.encode(packet).length : packet.length;
};

/** The line and the raw bytes of a binary message; without a newline, no line. */
export const split = (buffer) => {
  const bytes = new Uint8Array(buffer);
  const end = bytes.indexOf(10);
  return [decoder.decode(bytes.subarray(0, Math.max(end, 0))), bytes.subarray(end + 1)];
};

/** True if a line has the bytes that its type says: as base64 in its one spelling, or beside it. */
export const carries = (text, raw) => {
  const withBytes = text && text < "a";
  if (raw || !withBytes) return !raw == !withBytes;
  const field = text.split(" ", 4)[text[0] == "F" ? 3 : 2];
  return field == "-" || (field && field.length % 4 == 0 && BASE64.test(field));
};

/** The payload and bytes of a line whose payload begins at `at`, 0 when there is none. */
export const unpack = (text, at, raw) => {
  let json = at ? text.slice(at) : "";
  if (!raw && text < "a") {
    const [field] = json.split(" ", 1);
    raw = fromBase64(field);
    json = json.slice(field.length + 1);
  }
  return [json ? JSON.parse(json) : null, raw, json];
};

/** JSON of the other end, or what it says in its place. */
export const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text || undefined;
  }
};

const toBase64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
};

const fromBase64 = (text) =>
  Uint8Array.from(text == "-" ? "" : atob(text), (char) => char.charCodeAt(0));

/** Of four characters each. The last digit before the padding has no spare bits. */
const BASE64 = /^[A-Za-z\d+/]*([AQgw]==|[AEIMQUYcgkosw048]=)?$/;
