// Text as bytes, also in tests without the functions that every browser has, as with jsdom.

const { TextDecoder, TextEncoder } = globalThis;

const encode = (text) =>
  Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
const decode = (bytes) =>
  decodeURIComponent(escape(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));

const encodeInto = (text, into) => {
  const bytes = encode(text);
  into.set(bytes);
  return { written: bytes.length };
};

export const encoder = TextEncoder ? new TextEncoder() : { encode, encodeInto };
export const decoder = TextDecoder ? new TextDecoder() : { decode };
