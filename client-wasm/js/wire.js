// Where strings and bytes become lines, and lines become strings and bytes. What the fields of a line
// mean is not known here; the engine reads them.

export const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A packet as the outbox keeps it: text as it is; with bytes its head, its JSON and the bytes, because
 * only the carrier decides between raw bytes and base64.
 */
export const pack = (head, json, bytes) => {
  json = json === undefined ? "" : " " + json;
  // The application may go on to change its array.
  return bytes ? { head: head[0].toUpperCase() + head.slice(1), json, bytes: bytes.slice() } : head + json;
};

/** The packet as a line of text. */
export const line = (packet) =>
  packet.head ? packet.head + " " + (toBase64(packet.bytes) || "-") + packet.json : packet;

/** The packet as a binary message: line, newline, raw bytes. */
export const binary = ({ head, json, bytes }) => {
  head = encoder.encode(head + json + "\n");
  const message = new Uint8Array(head.length + bytes.length);
  message.set(head);
  message.set(bytes, head.length);
  return message;
};

/** The line and the raw bytes of a binary message. */
export const split = (buffer) => {
  const bytes = new Uint8Array(buffer);
  const end = bytes.indexOf(10);
  return [decoder.decode(bytes.subarray(0, end)), bytes.subarray(end + 1)];
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

const toBase64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
};

const fromBase64 = (text) =>
  Uint8Array.from(text == "-" ? "" : atob(text), (char) => char.charCodeAt(0));
