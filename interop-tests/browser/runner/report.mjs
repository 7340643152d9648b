/** Runs tests side by side, each with a deadline, and prints a line for each. */

import { Broken } from "../expect.js";

export class Report {
  passed = 0;
  failed = 0;

  constructor(where) {
    this.where = where;
  }

  /** `tests` are `{ name, run, timeout }`; `run` throws when a promise is broken. */
  async run(tests, lanes) {
    const queue = [...tests];
    const lane = async () => {
      for (let test = queue.shift(); test; test = queue.shift()) await this.#one(test);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #one({ name, run, timeout = 60_000 }) {
    const begun = performance.now();
    try {
      await within(timeout, run());
      this.#line("ok  ", name, begun);
      this.passed += 1;
    } catch (error) {
      this.#line("FAIL", name, begun);
      console.log(indent(error instanceof Broken ? error.message : `${error?.stack ?? error}`));
      this.failed += 1;
    }
  }

  #line(verdict, name, begun) {
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(`${verdict} ${this.where}: ${name} (${seconds} s)`);
  }
}

export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Broken(`nothing after ${milliseconds / 1000} s`)),
      milliseconds,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function indent(text) {
  return text
    .split("\n")
    .slice(0, 8)
    .map((line) => `       ${line}`)
    .join("\n");
}
