// The desk: the place where the engine leaves its outputs for its caller, who reads them directly
// after the call. One desk serves all clients of a page, because nothing else runs in between.

import { decoder } from "./utf8.js";
import { base64url } from "./wire.js";

let words = [];
let values = [];
/** The packets that the engine stores, by its keys. */
const held = new Map();
let last = 0;

export const numbers = (a, b, c) => words.push(a, b, c);
export const part = (value) => values.push(value);
/** A text of the engine, which has it as UTF-8. */
export const text = (bytes) => part(decoder.decode(bytes));
/**
 * A first line: the bytes of a session and its secret, or of the key of an open; the
 * authentication; on the desk the numbers of its pairs, below 0 if absent.
 */
export const first = (ids, auth) => {
  const text = base64url(ids);
  const line = text[24]
    ? `attach v=1 sid=${text.slice(0, 8)}.${text.slice(8, 24)} secret=`
    : "open v=1 key=";
  const pairs = takeNumbers().map((number, index) => (number < 0 ? "" : PAIRS[index] + number));
  part(line + text.slice(-22) + pairs.join("") + after(auth));
};
/** A packet that the session does not store. */
export const control = (kind, number, words) =>
  part(String.fromCharCode(kind) + (number < 0 ? "" : " " + number) + after(words));
const after = (bytes) => (bytes.length ? " " + decoder.decode(bytes) : "");
const PAIRS = [" n=", " recv=", " next=", " by=", " take=", " last=", " kept=", " greet="];
export const packet = (key) => part(held.get(key));
export const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** The next numbers and texts for the engine. */
let unread = [];
/** The characters of the text that the engine reads. */
let characters;
export const leave = (...values) => {
  unread = values;
};
/** The next number, or the number of characters of the next text, which `read` then copies. */
export const next = () => {
  const value = unread.shift();
  if (typeof value != "string") return value;
  characters = Array.from(value, (char) => char.codePointAt());
  return characters.length;
};
export const left = () => unread.length;
export const read = (into) => into.set(characters);

/** Takes the numbers from the desk. */
export const takeNumbers = () => {
  const taken = words;
  words = [];
  return taken;
};
/** Takes the lines, words and packets from the desk. */
export const takeParts = () => {
  const taken = values;
  values = [];
  return taken;
};

/** Stores a packet for the engine, and returns its number. */
export const hold = (packet) => {
  held.set(++last, packet);
  return last;
};
export const let_go = (key) => held.delete(key);
