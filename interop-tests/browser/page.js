/**
 * A page with one client, whose options are in the address. It keeps what it has sent and received
 * in `sessionStorage`, as an application does that wants to go on after a reload.
 */

import { describe } from "/package/diagnostics.js";
import { Client } from "/package/index.js";
import { sessionStore } from "/package/store.js";

const kept = JSON.parse(sessionStorage.getItem("kept") ?? '{"sent":0,"downs":[]}');
const waiting = [];
const options = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
const { persist, storage, setsUp, ...others } = options;
// Says the next number first in each session, and then is not done before the page has been loaded
// anew.
if (setsUp)
  others.onSession = async (setup) => {
    setup.emit("up", next());
    if (!sessionStorage.getItem("loaded anew")) await new Promise(() => {});
  };
const client = new Client(
  "/bowline",
  persist ? { ...others, store: sessionStore(persist, globalThis[storage]) } : others,
);

client.on("down", (number) => {
  kept.downs.push(number);
  keep();
  for (const check of waiting) check();
});

window.test = {
  client,
  describe,
  /** The flag `persisted` of every `pageshow`. */
  shows: [],
  /** Status after status. */
  statuses: [],

  /** Emits the next numbers. */
  sayUp(count) {
    for (let left = count; left > 0; left -= 1) client.emit("up", next());
    return kept.sent;
  },

  /** All numbers received, once there are so many. */
  downs(count) {
    return when(() => kept.downs.length >= count && kept.downs);
  },

  /** The status, once it is in this state. */
  state(wanted) {
    return when(() => client.status.state === wanted && client.status);
  },

  /** Resolves once the client is connected by this transport. */
  transport(wanted) {
    return when(() => client.transport === wanted);
  },

  /** The first status of a session that was lost, once there is one. */
  lost() {
    return when(() => window.test.statuses.find(({ state }) => state === "session-lost"));
  },

  /** For a failed test to tell. */
  situation() {
    return { ...this.facts(), sent: kept.sent, received: kept.downs.length, shows: this.shows };
  },

  facts() {
    const { status, transport, sessionId, stats, lastFailure } = client;
    return { status, transport, sessionId, stats, lastFailure, webSocket: typeof WebSocket };
  },
};

addEventListener("pageshow", ({ persisted }) => window.test.shows.push(persisted));
client.onStatus((status) => {
  window.test.statuses.push(status);
  for (const check of waiting) check();
});
window.isReady();

/** The next number that is said. */
function next() {
  kept.sent += 1;
  keep();
  return kept.sent;
}

function keep() {
  sessionStorage.setItem("kept", JSON.stringify(kept));
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
