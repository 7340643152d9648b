// Where the engine leaves what it has to say; whoever has called it looks here right afterwards. There
// is one desk for all clients of a page, because nothing else runs in between.

let words = [];
let values = [];
/** The packets that the engine keeps, by what it calls them. */
const held = new Map();
let last = 0;

export const numbers = (...three) => words.push(...three);
export const text = (line) => values.push(line);
export const packet = (key) => values.push(held.get(key));
export const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Takes the numbers from the desk. */
export const takeNumbers = () => words.splice(0);
/** Takes the lines, words and packets from the desk. */
export const takeParts = () => values.splice(0);

/** Keeps a packet for the engine, which gets a number for it. */
export const hold = (packet) => {
  held.set(++last, packet);
  return last;
};
export const let_go = (key) => held.delete(key);
