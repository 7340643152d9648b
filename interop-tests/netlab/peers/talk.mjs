// What every program of a row does: it says what it sent and what arrived, one line of JSON each,
// and listens to the runner. The same as interop-tests/netlab/src/native.rs.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Loads a package of the folder that the runner names. */
export const load = createRequire(join(process.env.BOWLINE_MODULES, "package.json"));

/** Milliseconds of the wall clock. */
export const wallClock = () => performance.timeOrigin + performance.now();

export function say(what, more = {}) {
  process.stdout.write(`${JSON.stringify({ at: wallClock(), say: what, ...more })}\n`);
}

/** How often each end says something: an event and a request. */
const TICK = Number(process.env.BOWLINE_TICK ?? 50);

/**
 * The heartbeat that everybody has in this row, and how long beyond it an end may be silent:
 * milliseconds.
 */
export const HEARTBEAT = process.env.BOWLINE_HEARTBEAT && Number(process.env.BOWLINE_HEARTBEAT);
export const GRACE = Number(process.env.BOWLINE_GRACE);

let timer;
let stopped = false;
let finish = () => say("stopped");
createInterface({ input: process.stdin })
  .on("line", () => {
    stopped = true;
    clearInterval(timer);
    finish();
  })
  .on("close", () => process.exit());

/** What is done at the end in place of saying that nothing new is sent: it has to say so itself. */
export function whenStopped(then) {
  finish = then;
  if (stopped) finish();
}

/** Calls with 1, 2, 3 … until the runner says that it is enough. */
export function speak(each) {
  let number = 0;
  clearInterval(timer);
  if (stopped) return;
  timer = setInterval(() => each((number += 1)), TICK);
  each((number += 1));
}

/** Sends an event with a function that throws, or whose promise fails, when it is not taken. */
export function event(flow, number, send) {
  say("sent", { flow, number });
  const refused = () => say("refused", { flow, number });
  try {
    Promise.resolve(send(number)).catch(refused);
  } catch {
    refused();
  }
}

/** Sends a request with a function whose promise has the answer. */
export function request(flow, number, ask) {
  say("sent", { flow, number });
  const ended = (right) => say("ended", { flow, number, right });
  Promise.resolve(ask(number)).then((answer) => ended(answer === number * 2), () => ended(false));
}

/** Fails when there is no answer for so long: what a peer never answers is not waited for. */
export function within(milliseconds, promise) {
  const late = new Promise((_, fail) => {
    setTimeout(() => fail(new Error("no answer")), milliseconds).unref();
  });
  return Promise.race([promise, late]);
}

export const PATIENCE = 60_000;
