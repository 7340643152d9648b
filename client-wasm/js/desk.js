// Where the engine leaves what it has to say; whoever has called it looks here right afterwards. There
// is one desk for all clients of a page, because nothing else runs in between.

let words = [];
let values = [];

export const numbers = (...three) => words.push(...three);
export const text = (line) => values.push(line);
export const packet = text;
export const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Takes the numbers from the desk. */
export const takeNumbers = () => words.splice(0);
/** Takes the lines, words and packets from the desk. */
export const takeParts = () => values.splice(0);
