// The tab that leads: it has the engine and the network, and sends their outputs to all tabs.

import * as acts from "../acts.js";
import { ASIDE, CONNECTED, EVENT, MEASURED, NOTED, OVER, REQUEST, SESSION_LOST } from "../kinds.js";

export class Lead {
  #tab;
  #group;
  #engine;
  /** The engine's id of this leader. */
  #id;
  /** Sessions that the engine has lost. */
  #epoch = 0;
  /** The counters of the leaders before this one. */
  #before;
  #takenOver;
  /** How often a request of the server was offered without success. */
  #offers = new Map();
  #clock;

  /** A deed was sent that the other tabs must receive before the network does. */
  #isUnheard = false;
  /** Two ends of a channel to this tab, and how often its message was sent and returned. */
  #mouth;
  #ear;
  #calls = 0;
  #echoes = 0;

  // The last line that the engine has read.
  #text;
  #raw;

  constructor(tab, engine, [transports, timeout, , ...options]) {
    const { group, now } = (this.#tab = tab);
    this.#group = group;
    this.#engine = engine;
    this.#before = group.stats;
    this.#takenOver = !!group.welcome;
    // Each tab limits its own packets. The leader continues as the same instance: the previous one
    // does not send any more.
    group.by ||= options.at(-1);
    const rest = options.slice(0, -2);
    this.#id = engine.create(transports, timeout, Infinity, ...rest, now(), group.by);
    group.tabs.delete(group.leader);
    group.tabs.add(tab.id);
    group.asleep.delete(tab.id);
    Object.assign(group, { leader: tab.id, term: Math.max(group.term + 1, Date.now()), index: 0 });
    this.#goOn();
    tab.cast({ group });
    this.#mouth = new BroadcastChannel(tab.id);
    this.#ear = new BroadcastChannel(tab.id);
    this.#ear.onmessage = () => {
      this.#echoes++;
      if (tab.leads(this)) tab.say();
    };
  }

  /** Continues where the previous leader has stopped. */
  #goOn() {
    const { welcome, log, counter, received, confirmed } = this.#group;
    if (welcome) {
      for (const { packet, size, answer } of log) this.#call(acts.KEEP, packet, size, !!answer);
      this.#call(acts.RESTORE, welcome, counter + COUNTERS, received, confirmed);
      this.#rename((packet) => {
        const number = packet.number ?? confirmed + 1 + log.indexOf(packet);
        this.#call(acts.EXPECT, number, packet.deadline);
        return number;
      });
    } else {
      // With the key of a leader that has ended, the server continues the session that it has
      // opened.
      this.#call(acts.RESTORE, (this.#group.key ||= newKey()), counter + COUNTERS, 0, 0);
      const ids = new Map(log.map((packet) => [packet, this.#take(packet)]));
      this.#rename((packet) => ids.get(packet));
    }
  }

  /** Gives requests the ids of this engine. */
  #rename(idOf) {
    const group = this.#group;
    group.asked = new Map([...group.asked.values()].map((packet) => [idOf(packet), packet]));
  }

  #call(what, ...words) {
    return this.#engine.act(this.#id, what, ...words);
  }

  start() {
    this.#call(acts.START, this.#tab.now());
    this.#watch();
  }

  /** Applies a deed, and sends it to all other tabs. */
  perform(deed, ...words) {
    this.#group.index++;
    this.#isUnheard ||= deed != "position" && deed != "noted";
    this.#tab.cast({ deed, words });
    this.#tab.perform(deed, words);
  }

  /** Calls the engine. */
  do(what, ...words) {
    this.#call(what, ...words);
    this.event(this.#tab.now());
  }

  /** Ends the leadership. The caller may still be about to ask the engine. */
  end() {
    clearTimeout(this.#clock);
    this.#mouth.close();
    this.#ear.close();
    setTimeout(() => this.#engine.release(this.#id));
  }

  stats() {
    this.#call(acts.STATS);
    const stats = this.#tab.desk.takeNumbers();
    return this.#before.map((before, index) => before + stats[index]);
  }

  verdict(now) {
    return this.#call(acts.VERDICT, now);
  }

  // Input from the network.

  line(head, size, now, text, raw) {
    // A view would send its whole buffer to the other tabs.
    [this.#text, this.#raw] = [text, raw?.slice()];
    return this.#call(acts.LINE, head, size, now);
  }

  timeout(now) {
    this.do(acts.TIMEOUT, now);
  }

  // Requests of tabs.

  hear({ packets, join, leave, asleep, claim, forget, tab, do: what, words }) {
    if (packets) {
      for (const packet of packets) this.#taken(packet);
    } else if (join) {
      this.#joined(join);
    } else if (leave) {
      this.perform("left", leave);
    } else if (asleep) {
      this.perform("asleep", asleep);
    } else if (claim) {
      this.#claimed(claim, tab);
    } else if (forget) {
      this.#forget(tab, forget);
    } else {
      this.#call(what, ...words, this.#tab.now());
    }
    queueMicrotask(() => this.#tab.say());
  }

  #joined(id) {
    if (this.#tab.leaving) return;
    this.perform("joined", id);
    this.#tab.cast({ group: this.#group, to: id });
  }

  #taken(packet) {
    const { tab, seq, answer } = packet;
    const { last, requests, epoch } = this.#group;
    // A duplicate, or a packet before it is still to come.
    if (seq != (last[tab] || 0) + 1) return;
    const isLate = answer && !(answer[0] == epoch && requests.has(answer[1]));
    if (isLate || packet.withdrawn) return this.perform("skip", packet);
    const id = this.#take(packet);
    if (id > 0) this.perform("keep", packet, id);
  }

  #forget(tab, seq) {
    for (const [id, packet] of this.#group.asked) {
      if (packet.tab == tab && packet.seq == seq)
        this.perform("forget", id, this.#call(acts.FORGET, id));
    }
  }

  #take({ packet, size, deadline, answer }) {
    const now = this.#tab.now();
    if (!answer) return this.#call(acts.EMIT, packet, size, deadline || 0, now);
    this.#call(acts.REPLY, packet, size, this.#epoch, now);
    return 1;
  }

  // Outputs of the engine.

  event(now) {
    for (let kind; (kind = this.#call(acts.EVENT, now));) this.#say(kind);
  }

  /** What the network has to do, and when to check again. */
  output(now) {
    if (!this.#isHeard()) return 0;
    let kind;
    while ((kind = this.#call(acts.OUTPUT, now)) >= EVENT && kind < ASIDE) this.#say(kind);
    const { desk } = this.#tab;
    const numbers = desk.takeNumbers();
    const parts = desk.takeParts();
    // Before anything is sent, all tabs know the position of the session.
    const [received, confirmed, counter] = this.#position();
    const group = this.#group;
    if (received != group.received || confirmed != group.confirmed || counter != group.counter) {
      this.perform("position", received, confirmed, counter);
    }
    parts.forEach(desk.part);
    desk.numbers(...numbers);
    return kind;
  }

  /**
   * True if all deeds are on their way to the other tabs, even if this tab crashes now. A message
   * leaves the process some time later, perhaps after a request to the network. But messages keep
   * their order: when the last one returns, all before it have left.
   */
  #isHeard() {
    if (this.#isUnheard && !this.#tab.isLast) {
      this.#mouth.postMessage(++this.#calls);
    }
    this.#isUnheard = false;
    return this.#calls == this.#echoes;
  }

  #position() {
    this.#call(acts.POSITION);
    return this.#tab.desk.takeNumbers();
  }

  #say(kind) {
    const { desk } = this.#tab;
    const numbers = desk.takeNumbers();
    const parts = desk.takeParts();
    const [a, b] = numbers;
    const [received] = this.#position();
    switch (kind) {
      case EVENT:
        return this.perform("event", received, a, b, this.#text, this.#raw);
      case REQUEST:
        this.perform("request", received, a, b, this.#text, this.#raw);
        return this.#offer(b);
      case MEASURED:
        return this.perform("measured", a);
      case CONNECTED:
        if (this.#takenOver) this.#before = this.#before.map((count, index) => count + (index < 2));
        this.#takenOver = false;
        break;
      case SESSION_LOST:
        this.#epoch++;
        this.#takenOver = false;
        this.#call(acts.KEPT);
        this.perform("lost", desk.takeParts().length, numbers, this.stats());
        this.perform("key", newKey());
        return this.#call(acts.RESTORE, this.#group.key, 0, 0, 0);
      case OVER:
        return this.perform("over");
      case NOTED:
        return this.perform("noted", numbers, parts);
    }
    if (kind < MEASURED) return this.perform("answer", received, kind, a, b, this.#text, this.#raw);
    this.perform("status", kind, numbers, parts, this.#text, this.#call(acts.LIMIT), this.stats());
  }

  // Answers to the server's requests.

  #offer(number) {
    const { id, isLast } = this.#tab;
    const { requests } = this.#group;
    const { text, tab } = requests.get(number);
    if (tab == id) return;
    const offers = (this.#offers.get(number) || 0) + 1;
    this.#offers.set(number, offers);
    // No tab can answer, which is an answer too.
    const isMine = !tab && (this.#tab.handles(text) || isLast || offers > 2);
    if (isMine) return this.perform("give", number, id);
    // The tab that was to answer has ended, or sleeps.
    if (tab && offers > 3) {
      this.#offers.set(number, 0);
      this.perform("give", number, "");
    }
    this.perform("offer", number, requests.get(number).tab);
    this.#watch();
  }

  #claimed(number, tab) {
    const request = this.#group.requests.get(number);
    if (!request) return;
    this.#offers.delete(number);
    if (!request.tab) this.perform("give", number, tab);
  }

  /** Checks every second whether the answering tabs still live. */
  #watch() {
    if (!this.#group.requests.size || this.#clock) return;
    this.#clock = setTimeout(() => {
      this.#clock = 0;
      if (!this.#tab.leads(this)) return;
      for (const number of this.#group.requests.keys()) this.#offer(number);
      this.#watch();
    }, 1000);
  }
}

/** 128 random bits for the `open` of a session, as sent on the wire. */
const newKey = () =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .slice(0, 22);

/** More than the attachments of a leader between two messages about them. */
const COUNTERS = 1000;
