// The payloads that applications may send: JSON, and bytes. A call with a value that would arrive
// as something else throws.

import { pack } from "./wire.js";
import { fail } from "./words.js";

/** The packet of a payload and the bytes beside it. A payload of bytes has no JSON. */
export const packet = (head, payload, bytes) => {
  const alone = toBytes(payload);
  if (alone) return pack(head, undefined, alone);
  return pack(
    head,
    json(payload),
    bytes == null
      ? undefined
      : (toBytes(bytes) ?? fail(CODE, "bytes are a view or an ArrayBuffer")),
  );
};

/** The value as JSON, nothing for `undefined`. */
export const json = (value) => {
  try {
    const text = JSON.stringify(value, checked);
    // JSON.stringify escapes half of a surrogate pair, which is not valid text, and no other
    // character in this way.
    if (text?.includes("\\ud") && /[^\\](\\\\)*\\ud/.test(text))
      throw Error("half of a surrogate pair is no text");
    return text;
  } catch (error) {
    fail(CODE, error.message);
  }
};

/** The bytes of a view or buffer of any kind. */
const toBytes = (value) =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : /Buffer]$/.test(kindOf(value))
      ? new Uint8Array(value)
      : undefined;

/** JSON would leave out the contents of these: buffers, Blob, Map, Promise. */
const checked = (_, value) =>
  ArrayBuffer.isView(value) ||
  (Object(value) === value && !PLAIN.test(kindOf(value)) && !Object.keys(value).length)
    ? fail(CODE, "JSON has no " + value.constructor?.name)
    : value;

const kindOf = (value) => ({}).toString.call(value);

/** Objects that JSON can represent, and functions, which it leaves out. */
const PLAIN = / (Object|Array|String|Number|Boolean|\w*Function)]/;
const CODE = "invalid-payload";
