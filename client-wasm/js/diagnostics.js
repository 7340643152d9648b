// What a client has found out about its network, as texts for administrators.

import { isOwn } from "./causes.js";

export class Diagnostics {
  /** The findings, oldest first; 64 at most. */
  found = [];
  #begin = Date.now();

  constructor(url) {
    this.url = url;
  }

  add(transport, finding, time, why, cause) {
    const duration = time < 1e4 ? time + " ms" : Math.floor(time / 1e3) + " s";
    const what = FINDINGS[finding].replace("#", duration);
    const at = Date.now() - this.#begin;
    this.found.push({ at, transport, finding, cause, words: why ? what + ": " + why : what });
    if (this.found.length > 64) this.found.shift();
  }

  report(present) {
    const { url } = this;
    const found = this.found.map(({ at, transport, words }) => ({ at, transport, words }));
    return { url, transport: present, found, toString: () => this.#describe(present) };
  }

  #describe(present) {
    const lines = [this.url + (present ? ": connected over " + present : ": not connected") + "."];
    for (const transport in NEEDS) {
      if (transport == present) break;
      const obstacle = this.found.findLast(
        (one) => one.transport == transport && OBSTACLES.includes(one.finding),
      );
      if (!obstacle) continue;
      // A cause that affects every transport does not concern this one.
      const { words, cause } = obstacle;
      const need = !cause || cause > 999 || (present && isOwn(cause));
      lines.push(
        `${transport} is not used: it ${words}.` + (need ? ` It needs ${NEEDS[transport]}.` : ""),
      );
    }
    for (const { at, transport, words } of this.found) {
      lines.push((at / 1e3).toFixed(3).padStart(9) + " s  " + transport.padEnd(9) + "  " + words);
    }
    return lines.join("\n");
  }
}

/** In the order of the engine's findings. */
const FINDINGS = [
  "is tried",
  "had not opened after #",
  "failed after #",
  "serves after #",
  "was lost after #",
  "is left alone for #",
  "is tried again beside the present one",
  "failed again after #",
  "has proven itself and takes over after #",
];
const OBSTACLES = [1, 2, 4, 7];

/** What an administrator must change. */
const NEEDS = {
  websocket:
    "every proxy on the way to pass the headers Upgrade and Connection of GET requests to /ws" +
    " below this address, and to leave the connection open",
  sse:
    "every proxy on the way to pass on responses of /sse below this address as they come, without" +
    " collecting them first",
  polling:
    "POST requests to /poll and /post below this address, which may take as long as the server's" +
    " heartbeat",
};
