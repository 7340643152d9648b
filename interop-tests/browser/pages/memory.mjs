/** What the engine takes of a page's memory. */

import { equal } from "../expect.js";
import { perTransport } from "./transports.mjs";

const tests = {
  async "the engine makes do with two pages of memory"(talk, options) {
    await talk.page.evaluateOnNewDocument(keepInstances);
    await talk.open(options);
    await talk.talk(100);
    await talk.goesOn();
    const sizes = await talk.page.evaluate(() =>
      window.memories.map((memory) => memory.buffer.byteLength),
    );
    equal(sizes, [131_072], "bytes");
  },
};

/** The memory of every instance that the page makes. */
function keepInstances() {
  window.memories = [];
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...words) => {
    const result = await instantiate(...words);
    const exported = Object.values(result.instance.exports);
    window.memories.push(...exported.filter((value) => value instanceof WebAssembly.Memory));
    return result;
  };
}

export function memoryTests(browser, control) {
  return perTransport(tests, {}, browser, control);
}
