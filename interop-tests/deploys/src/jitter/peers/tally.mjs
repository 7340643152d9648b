// What the clients of a peer have in common: they are told where to connect, count what arrives,
// and say it. The same as interop-tests/deploys/src/jitter/native.rs.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Loads a package of the folder that the runner names. */
export const load = createRequire(join(process.env.BOWLINE_MODULES, "package.json"));

/** Milliseconds of the wall clock. */
export const wallClock = () => performance.timeOrigin + performance.now();

export const say = (what, more = {}) => console.log(JSON.stringify({ say: what, ...more }));

/** The lines of the runner; the process ends with them. */
export const orders = createInterface({ input: process.stdin }).on("close", () => process.exit());

/**
 * `connect(url, arrived)` makes a client, calls `arrived(number, at)` with each message and its
 * time, and returns a promise that is kept once it is connected.
 */
export function run(connect) {
  orders.once("line", async (line) => {
    const { urls, messages } = JSON.parse(line);
    const whole = { delays: [], duplicated: 0, reordered: 0, missing: urls.length * messages };
    await Promise.all(urls.map((url) => connect(url, tally(whole, messages))));
    orders.once("line", () => {
      const { delays, duplicated, reordered, missing } = whole;
      say("counted", { delays, duplicated, reordered, lost: missing });
    });
    say("connected");
  });
}

function tally(whole, messages) {
  const seen = new Set();
  let highest = 0;
  return (number, at) => {
    if (seen.has(number)) {
      whole.duplicated++;
      return;
    }
    seen.add(number);
    if (number < highest) whole.reordered++;
    highest = Math.max(highest, number);
    whole.delays.push(Math.max(0, Math.round(wallClock() - at)));
    if (!--whole.missing) say("complete");
  };
}
