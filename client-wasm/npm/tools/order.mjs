// Orders the functions of a module so that similar ones are neighbours: brotli makes it 1 %
// smaller.
import { readFileSync, writeFileSync } from "node:fs";
import { tool } from "./wasm-opt.mjs";

/** Orders the functions of the module in this file; `wat` is a scratch file. */
export const orderFunctions = (path, wat) => {
  const text = tool("wasm-dis", path).replace(/\s*\)\s*$/, "");
  // The text form refers to functions by name, so they may be in any order.
  const [head, ...functions] = text.split(/\n(?= \(func )/);
  const bodies = codes(readFileSync(path));
  if (bodies.length != functions.length)
    throw new Error("the text of the module has other functions");
  const ordered = alike(bodies).map((index) => functions[index]);
  writeFileSync(wat, [head, ...ordered, ")"].join("\n"));
  tool("wasm-as", wat, "-o", path);
};

/** The indices of the bodies, each followed by the one that shares most of its byte sequences. */
const alike = (bodies) => {
  const sets = bodies.map((body) => {
    const set = new Set();
    for (let at = 0; at + LENGTH <= body.length; at++)
      set.add(body.toString("latin1", at, at + LENGTH));
    return set;
  });
  const likeness = (one, other) => {
    let shared = 0;
    for (const sequence of sets[one]) if (sets[other].has(sequence)) shared++;
    return shared / Math.sqrt(sets[one].size * sets[other].size + 1);
  };
  const left = new Set(bodies.keys());
  const order = [];
  for (let next = 0; next !== undefined;) {
    order.push(next);
    left.delete(next);
    const last = next;
    const closer = (best, one) => (likeness(last, one) > likeness(last, best) ? one : best);
    next = left.size ? [...left].reduce(closer) : undefined;
  }
  return order;
};

/** The bodies of the functions of a module. */
const codes = (module) => {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const sized = () => {
    const length = number();
    return module.subarray(at, (at += length));
  };
  while (module[at++] != CODE) sized();
  number();
  return Array.from({ length: number() }, sized);
};

/** The id of the section with the code. */
const CODE = 10;
/** The length of the compared sequences; 3 compresses best. */
const LENGTH = 3;
