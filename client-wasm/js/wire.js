// Encodes strings and bytes as lines, and decodes lines. The engine interprets the fields of a
// line.

import { decoder, encoder } from "./utf8.js";

/**
 * A packet as the outbox stores it: text as it is; with bytes a binary message (line, newline, raw
 * bytes) and the parts of its line, because only the carrier decides between raw bytes and base64.
 */
export const pack = (head, json, bytes) => {
  json = json === undefined ? "" : " " + json;
  if (!bytes) return head + json;
  head = head[0].toUpperCase() + head.slice(1);
  const before = encoder.encode(head + json + "\n");
  // A copy, because the application may change its array.
  const message = new Uint8Array(before.length + bytes.length);
  message.set(before);
  message.set(bytes, before.length);
  return { head, json, message, bytes: message.subarray(before.length) };
};

/** The packet as a line of text. */
export const line = (packet) =>
  packet.head ? packet.head + " " + (toBase64(packet.bytes) || "-") + packet.json : packet;

/** Bytes of the packet; of a text its units of UTF-16, unless the size must be exact. */
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

/** True if a line has the bytes that its type requires: as canonical base64, or beside it. */
export const carries = (text, raw) => {
  const withBytes = /^[EQVRF]/.test(text);
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

/** Parses the JSON of the other end, or returns a text in its place. */
export const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text || undefined;
  }
};

/** As base64url, without padding. */
export const base64url = (bytes) =>
  toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+/, "");

const toBase64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
};

export const fromBase64 = (text) =>
  Uint8Array.from(text == "-" ? "" : atob(text), (char) => char.charCodeAt(0));

/** Groups of four characters. The last digit before the padding has no spare bits. */
const BASE64 = /^[A-Za-z\d+/]*([AQgw]==|[AEIMQUYcgkosw048]=)?$/;
