// What all tabs of a group know. The tab that leads says what happens, one deed after another, and every
// tab does it to its own copy, the leader too: whoever leads next has all it needs.

import { CONNECTED, MEASURED, NOTED, SESSION_LOST, TIMED_OUT, WAITING } from "../kinds.js";

/** What a group knows before anything has happened. */
export const fresh = () => ({
  // The time at which the present leader began, who it is until it takes leave, and its last deed.
  term: 0,
  leader: "",
  index: 0,

  /** Counts the sessions of the group. */
  epoch: 0,
  /** The key of the session's open, and the line with which the server has welcomed it, secret included. */
  key: undefined,
  welcome: undefined,
  received: 0,
  confirmed: 0,
  counter: 0,
  /** What tells the server this group from others. */
  by: 0,

  /** The packets that follow the confirmed ones, as `{ tab, seq, packet, size, deadline, answer }`. */
  log: [],
  /** The number of each tab's last packet in the log. */
  last: {},
  /** Requests of tabs that wait for their answer: the leader's id to packet, which has its number once it is confirmed. */
  asked: new Map(),
  /** Requests of the server that wait for theirs: number to `{ at, text, raw, tab }`. */
  requests: new Map(),

  tabs: new Set(),
  /** Those of them that have been put to sleep by the browser. */
  asleep: new Set(),
  /** The last status, as the engine says it. */
  status: [0, [], []],
  rtt: undefined,
  limit: 0,
  /** All but the packets without a confirmation. */
  stats: [0, 0, 0, 0, 0],
});

/**
 * The deeds. Each takes what a tab knows and the tab itself, which has `say(kind, numbers, parts, text,
 * raw)` for its application, with kinds as in `kinds.js`.
 */
export const deeds = {
  joined(group, tab, id) {
    group.tabs.add(id);
    group.asleep.delete(id);
  },

  asleep(group, tab, id) {
    group.asleep.add(id);
  },

  left(group, tab, id) {
    group.tabs.delete(id);
    group.asleep.delete(id);
    if (id == tab.id) tab.end();
  },

  /** The leader stops: it is closed, or about to sleep. */
  bye(group, tab) {
    group.leader = "";
    tab.say(...(group.status = [WAITING, [0, 0], []]));
  },

  key(group, tab, key) {
    group.key = key;
  },

  /** A packet has got its number. */
  keep(group, tab, packet, id) {
    group.last[packet.tab] = packet.seq;
    group.log.push(packet);
    if (packet.deadline) group.asked.set(id, packet);
    if (packet.answer) group.requests.delete(packet.answer[1]);
  },

  /** An answer that came too late, or a request that was withdrawn before the leader knew it. */
  skip(group, tab, packet) {
    group.last[packet.tab] = packet.seq;
    tab.done(packet);
  },

  position(group, tab, received, confirmed, counter) {
    const gone = group.log.splice(0, confirmed - group.confirmed);
    for (const packet of gone) {
      packet.number = ++group.confirmed;
      tab.done(packet);
    }
    Object.assign(group, { received, confirmed, counter });
  },

  /** Nobody waits for the answer any more. One that was not sent never will be. */
  forget(group, tab, id, unsent) {
    const packet = group.asked.get(id);
    group.asked.delete(id);
    if (!unsent) return;
    group.log.splice(group.log.indexOf(packet), 1);
    tab.done(packet);
  },

  event(group, tab, received, at, number, text, raw) {
    group.received = received;
    tab.heard(at, number, text, raw);
  },

  answer(group, tab, received, kind, at, id, text, raw) {
    group.received = received;
    const packet = group.asked.get(id);
    deeds.forget(group, tab, id, packet && kind == TIMED_OUT && !at);
    if (packet?.tab == tab.id) tab.answered(kind, at, packet.seq, text, raw);
  },

  request(group, tab, received, at, number, text, raw) {
    group.received = received;
    group.requests.set(number, { at, text, raw, tab: "" });
  },

  /** Asks who can answer a request: everyone, or the tab that had said so. */
  offer(group, tab, number, to) {
    tab.offered(number, to);
  },

  /** The tab shall answer the request, if it is one. */
  give(group, tab, number, to) {
    const request = group.requests.get(number);
    request.tab = to;
    if (to == tab.id) tab.asked(number, request);
  },

  noted(group, tab, numbers, parts) {
    tab.say(NOTED, numbers, parts);
  },

  measured(group, tab, rtt) {
    tab.say(MEASURED, [(group.rtt = rtt)]);
  },

  status(group, tab, kind, numbers, parts, text, limit, stats) {
    if (kind == CONNECTED && text.includes(" secret=")) group.welcome = text;
    Object.assign(group, { limit, stats, status: [kind, numbers, parts, text] });
    tab.say(...group.status);
  },

  /** The session was lost. What was never sent goes to the next one: the last packets that are not answers. */
  lost(group, tab, unsent, numbers, stats) {
    const before = group.log;
    const left = before.filter(({ answer }) => !answer);
    group.log = unsent ? left.slice(-unsent) : [];
    const { epoch } = group;
    Object.assign(group, { epoch: epoch + 1, received: 0, confirmed: 0, counter: 0, stats });
    group.key = group.welcome = undefined;
    group.requests.clear();
    for (const packet of before) if (!group.log.includes(packet)) tab.done(packet);
    tab.anew();
    tab.say(...(group.status = [SESSION_LOST, numbers, []]));
  },

  over(group, tab) {
    tab.end(true);
  },
};
