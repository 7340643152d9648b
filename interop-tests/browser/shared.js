/**
 * One tab of several, with a client that it shares with them; an ordinary one if the address says
 * `plain`. What it says and hears is numbered: a tab has the numbers that follow its own `base`.
 */

import { Client } from "/package/index.js";
import { SharedClient } from "/package/shared.js";

let lag = 0;
slowable(BroadcastChannel);
const { base, plain, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const client = plain ? new Client("/bowline", options) : new SharedClient("/bowline", options);
const [downs, settled, statuses, waiting] = [[], [], [], []];
const clock = new Worker("data:text/javascript,onmessage=({data})=>setTimeout(postMessage,data,0)");
let last = base;

const changed = () => waiting.forEach((check) => check());
const on = (list) => (value) => {
  list.push(value);
  changed();
};

client.on("down", on(downs));
client.onStatus(on(statuses));

window.test = {
  client,
  statuses,
  /** How each request has ended: its number, or its error. */
  settled,
  handled: 0,

  /** Emits and asks the next numbers, alternately, a few in one go, then after a pause. */
  async say(count) {
    for (let said = 1; said <= count; said += 1) {
      last += 1;
      if (said % 2) client.emit("up", last);
      else ask(last);
      if (said % 5 === 0) await pause();
    }
  },

  handle() {
    client.handle("down", (number) => {
      window.test.handled += 1;
      return number * 2;
    });
  },

  /** Handles requests, but never answers. */
  handleInVain() {
    client.handle("down", () => {
      window.test.handled += 1;
      changed();
      return new Promise(() => {});
    });
  },

  /** From now on the words of other tabs come so many milliseconds late. */
  lag(milliseconds) {
    lag = milliseconds;
  },

  handledOnce: () => when(() => window.test.handled),
  downs: (count) => when(() => downs.length >= count && downs),
  requests: (count) => when(() => settled.length >= count && settled),
  state: (wanted) => when(() => client.status.state === wanted && client.status),
  sawState: (wanted) => when(() => statuses.find(({ state }) => state === wanted)),

  facts() {
    const { status, transport, sessionId, stats, rtt, lastFailure } = client;
    const counts = { downs: downs.length, settled: settled.length, last };
    return { status, transport, sessionId, stats, rtt, lastFailure, ...counts };
  },
};
window.isReady();

/** Words of other tabs can be made to come late, which keeps their order. */
function slowable({ prototype }) {
  const { set } = Object.getOwnPropertyDescriptor(prototype, "onmessage");
  const late = (listener) => (event) => (lag ? setTimeout(listener, lag, event) : listener(event));
  Object.defineProperty(prototype, "onmessage", {
    set(listener) {
      set.call(this, late(listener));
    },
  });
}

async function ask(number) {
  const answer = await client
    .request("up", number)
    .catch((error) => ({ number: `${number}: ${error.code}` }));
  on(settled)(answer.number);
}

/** Ten milliseconds, in hidden pages too: timers of workers are not slowed down. */
function pause() {
  clock.postMessage(10);
  return new Promise((resolve) => clock.addEventListener("message", resolve, { once: true }));
}

/** Resolves with what the condition yields, once that is something. */
function when(condition) {
  return new Promise((resolve) => {
    const check = () => {
      const value = condition();
      if (!value) return;
      const place = waiting.indexOf(check);
      if (place >= 0) waiting.splice(place, 1);
      resolve(value);
    };
    waiting.push(check);
    check();
  });
}
