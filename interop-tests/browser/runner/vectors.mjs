/** The protocol's vectors, as far as the package reads lines in JavaScript. */

import { readFile, readdir } from "node:fs/promises";

import { Broken } from "../expect.js";

export const vectorTest = {
  name: "bytes that do not follow the grammar are refused",
  async run() {
    const wire = await module(new URL("client-wasm/js/wire.js", ROOT));
    for (const { name, line, binary, packet } of await vectors()) {
      const message = binary !== undefined && Uint8Array.from(Buffer.from(binary, "hex")).buffer;
      const [text, raw] = message ? wire.split(message) : [line];
      const taken = Boolean(text && wire.carries(text, raw));
      if (packet ? !taken : taken && BYTES.test(name)) throw new Broken(name);
    }
  },
};

async function vectors() {
  const folder = new URL("protocol-spec/vectors/packets/", ROOT);
  const files = await readdir(folder);
  const lists = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(new URL(file, folder), "utf8"))),
  );
  return lists.flat();
}

/**
 * A module of a folder that Node does not take for one of modules, with what it imports from there.
 */
async function module(file) {
  return import(await inlined(file));
}

async function inlined(file) {
  let text = await readFile(file, "utf8");
  for (const [, path] of text.matchAll(/from "(\.[^"]+)"/g)) {
    text = text.replace(`"${path}"`, `"${await inlined(new URL(path, file))}"`);
  }
  return `data:text/javascript,${encodeURIComponent(text)}`;
}

const ROOT = new URL("../../../", import.meta.url);
/** What is wrong with these is not for the engine to see. */
const BYTES = /base64|lower case|without a newline|^binary: a (control packet|first line)/;
