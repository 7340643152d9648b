// The state that all tabs of a group share. The leading tab sends changes, one deed after another,
// and every tab applies each to its own copy, the leader too: the next leader has everything that
// it needs.

import { CONNECTED, MEASURED, NOTED, SESSION_LOST, TIMED_OUT, WAITING } from "../kinds.js";

/** The state of a new group. */
export const fresh = () => ({
  // When the present leader began, its id until it leaves, and the index of its last deed.
  term: 0,
  leader: "",
  index: 0,

  /** The number of the group's session, from 0. */
  epoch: 0,
  /** The key of the session's `open`, and the line of the server's welcome, secret included. */
  key: undefined,
  welcome: undefined,
  received: 0,
  confirmed: 0,
  counter: 0,
  /** Distinguishes this group from others, for the server. */
  by: 0,

  /**
   * The packets that follow the confirmed ones, as `{ tab, seq, packet, size, deadline, answer }`.
   */
  log: [],
  /** The number of each tab's last packet in the log. */
  last: {},
  /**
   * Requests of tabs that wait for their answer: the leader's id to packet, which gets its number
   * once it is confirmed.
   */
  asked: new Map(),
  /** Requests of the server without an answer: number to `{ at, text, raw, tab }`. */
  requests: new Map(),

  tabs: new Set(),
  /** Tabs that the browser has put to sleep. */
  asleep: new Set(),
  /** The last status, in the engine's form. */
  status: [0, [], []],
  rtt: undefined,
  limit: 0,
  /** All counters except the packets without a confirmation. */
  stats: [0, 0, 0, 0, 0],
});

/**
 * The deeds. Each changes the state of a group and its tab, which has `say(kind, numbers, parts,
 * text, raw)` for its application, with kinds as in `kinds.js`.
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

  /** A packet has received its number. */
  keep(group, tab, packet, id) {
    group.last[packet.tab] = packet.seq;
    group.log.push(packet);
    if (packet.deadline) group.asked.set(id, packet);
    if (packet.answer) group.requests.delete(packet.answer[1]);
  },

  /** An answer that was too late, or a request that was withdrawn before the leader knew it. */
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

  /** The caller does not wait for the answer any more. An unsent request is never sent. */
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

  /** Asks which tab can answer a request: every tab, or the one that had offered. */
  offer(group, tab, number, to) {
    tab.offered(number, to);
  },

  /** Lets the tab answer the request, if it is still open. */
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

  /**
   * The session was lost. Packets that were never sent go to the next session: the last ones that
   * are not answers.
   */
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
