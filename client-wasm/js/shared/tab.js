// One tab of a group: replaces the engine of its client.

import * as acts from "../acts.js";
import {
  CLOSED,
  CONNECTED,
  DROP,
  EVENT,
  LOST,
  MEASURED,
  OVER,
  REQUEST,
  SESSION_LOST,
  TIMED_OUT,
  TRIAL,
} from "../kinds.js";
import { deeds, fresh } from "./group.js";
import { Lead } from "./lead.js";

export class Tab {
  id = crypto.randomUUID();
  group = fresh();
  /** Handlers by the name of the requests that they answer. */
  handlers = new Map([["bowline.auth"]]);
  /** True from the moment when the application closes its client. */
  leaving = false;

  #name;
  #limit;
  #tell;
  /** The leader, while this tab leads. */
  #lead;
  #makeLead;
  #channel;
  /** Ends the wait for the lock. */
  #waiting;
  /** Releases the lock. */
  #release;
  #joining = false;
  #asleep = false;
  #patience;
  #over = false;

  // The packets of the application that the server has not confirmed, by this tab's own numbers.
  #mine = new Map();
  #sequence = 0;
  #bytes = 0;
  /** Packets that the tab has not sent to the leader yet. */
  #untold = [];
  /** Deadlines of requests by number, and the first of them or an earlier moment. */
  #due = new Map();
  #dueAt = Infinity;
  #dropped = 0;

  /** The last event that the application has received. */
  #heard = 0;
  /** Requests of the server that the application is answering. */
  #asked = new Set();

  /**
   * `name` is the name of the group; the client passes the other arguments to its `share` option.
   */
  constructor(name, engine, words, now, tell) {
    this.#name = name;
    this.#limit = words[2];
    this.desk = engine;
    this.now = now;
    this.#tell = tell;
    this.#makeLead = () => new Lead(this, engine, words);
  }

  // Calls of the client to its engine.

  start() {
    const channel = (this.#channel = new BroadcastChannel(this.#name));
    channel.onmessage = ({ data }) => this.#hear(data);
    this.#join();
    this.#queue();
  }

  emit(packet, size, deadline) {
    if (this.leaving) return acts.OVER;
    if (this.#bytes + size > this.#limit) return acts.FULL;
    const seq = this.#send({ packet, size, deadline });
    if (deadline) this.#due.set(seq, deadline);
    if (deadline) this.#dueAt = Math.min(this.#dueAt, deadline);
    return seq;
  }

  emit_volatile(packet, size) {
    const taken = this.connected && !this.leaving;
    if (taken) this.#ask({ do: acts.EMIT_VOLATILE, words: [packet, size] });
    else this.#dropped++;
    return taken;
  }

  reply(packet, size, epoch) {
    const [, number] = (packet.head || packet).split(" ", 2);
    if (epoch == this.group.epoch) this.#send({ packet, size, answer: [epoch, +number] });
  }

  forget(seq) {
    this.#due.delete(seq);
    return this.#withdraw(seq);
  }

  limit() {
    return this.group.limit;
  }

  stats() {
    const { stats, log, last } = this.group;
    const [reconnects, resumes, lost, switches, dropped] = this.#lead?.stats() || stats;
    this.desk.numbers(reconnects, resumes, lost);
    const untold = this.#sequence - (last[this.id] || 0);
    this.desk.numbers(switches, dropped + this.#dropped, log.length + untold);
  }

  measure() {
    this.#ask({ do: acts.MEASURE, words: [] });
  }

  switch_to(transport) {
    this.#ask({ do: acts.SWITCH_TO, words: [transport] });
  }

  wake() {
    if (!this.#asleep) return this.#ask({ do: acts.WAKE, words: [] });
    this.#asleep = false;
    // Others may have led in the meantime.
    this.group.leader ||= "?";
    this.#join();
    this.#queue();
  }

  /** The page is about to sleep: another tab leads. */
  suspend() {
    this.#asleep = true;
    this.#flush();
    this.#ask({ asleep: this.id });
    this.#waiting?.abort();
    this.#retire();
  }

  /** Leaves the group. The last tab ends the session. */
  close() {
    if (this.leaving) return;
    this.leaving = true;
    if (!this.#channel) return this.end();
    this.#patience = setTimeout(() => this.end(), PATIENCE);
    this.#flush();
    if (this.#lead) return this.#quit();
    for (const seq of this.#due.keys()) this.answered(LOST, 1, seq);
    this.#post({ leave: this.id });
  }

  timeout(now) {
    this.#lead?.timeout(now);
    if (now < this.#dueAt) return;
    for (const [seq, deadline] of this.#due) {
      // The leader knows whether the request was sent, and reports it, if there is a leader.
      if (deadline + LATE <= now || (deadline <= now && this.#isUntold(seq))) {
        this.answered(TIMED_OUT, !this.#withdraw(seq), seq);
      }
    }
    const looks = [...this.#due.values()].map((deadline) =>
      deadline > now ? deadline : deadline + LATE,
    );
    this.#dueAt = Math.min(...looks);
  }

  output(now) {
    this.#flush();
    if (this.#lead) return this.#lead.output(now);
    this.desk.numbers(this.#dueAt < Infinity ? this.#dueAt : 0);
    return 0;
  }

  event(now) {
    this.#lead?.event(now);
    return 0;
  }

  // Input from the network of the leading tab.

  line(...words) {
    return this.#lead?.line(...words);
  }

  sent() {
    this.#lead?.do(acts.SENT);
  }

  polled(...words) {
    this.#lead?.do(acts.POLLED, ...words);
  }

  posted(...words) {
    this.#lead?.do(acts.POSTED, ...words);
  }

  ended(...words) {
    this.#lead?.do(acts.ENDED, ...words);
  }

  tried(...words) {
    this.#lead?.do(acts.TRIED, ...words);
  }

  verdict(now) {
    return this.#lead?.verdict(now);
  }

  introduce(...words) {
    this.#lead?.do(acts.INTRODUCE, ...words);
  }

  // Effects of a deed on this tab.

  /** Passes an output to the application; without a kind the client asks for outputs. */
  say(kind, numbers = [], parts = [], text, raw) {
    this.#tell(kind, [...numbers], [...parts], text, raw);
  }

  heard(at, number, text, raw) {
    // A repetition: one leader ended after it had sent the event, and the next has received it
    // again.
    if (number && number <= this.#heard) return;
    this.#heard = number || this.#heard;
    this.say(EVENT, [at], [], text, raw);
  }

  answered(kind, at, seq, text, raw) {
    // A request that the tab has given up needs no answer.
    if (this.#due.delete(seq)) this.say(kind, [at, seq], [], text, raw);
  }

  offered(number, to) {
    const { text } = this.group.requests.get(number);
    const can = this.#asked.has(number) ? !to || to == this.id : !to && this.handles(text);
    if (can) this.#ask({ claim: number, tab: this.id });
  }

  asked(number, { at, text, raw }) {
    if (this.#asked.has(number)) return;
    this.#asked.add(number);
    this.say(REQUEST, [at, number, this.group.epoch], [], text, raw);
  }

  handles(text) {
    return this.handlers.has(text.split(" ", 2)[1]);
  }

  /** The server has confirmed the packet, or never will. */
  done({ tab, seq }) {
    const packet = tab == this.id && this.#mine.get(seq);
    if (!packet) return;
    this.#mine.delete(seq);
    this.#bytes -= packet.size;
    if (packet.answer) this.#asked.delete(packet.answer[1]);
  }

  /** Another session begins, with other numbers. */
  anew() {
    this.#heard = 0;
    this.#asked.clear();
  }

  /** The tab has left, or the session is over, of which the application is notified. */
  end(isOver) {
    if (this.#over) return;
    this.#over = this.leaving = true;
    clearTimeout(this.#patience);
    this.#waiting?.abort();
    if (isOver) this.#stop();
    else this.#retire();
    for (const seq of this.#due.keys()) this.answered(LOST, 1, seq);
    if (!isOver) this.say(CLOSED, [1000]);
    this.say(OVER);
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Applies a deed of the leader. */
  perform(deed, words) {
    deeds[deed](this.group, this, ...words);
  }

  leads(lead) {
    return lead == this.#lead;
  }

  get connected() {
    return this.group.status[0] == CONNECTED;
  }

  get isLast() {
    return this.group.tabs.size < 2;
  }

  /** Sends a message to all other tabs. */
  cast(message) {
    this.#post({ ...message, term: this.group.term, index: this.group.index });
  }

  // From tab to tab.

  #send(packet) {
    const seq = ++this.#sequence;
    packet = { ...packet, tab: this.id, seq };
    this.#mine.set(seq, packet);
    this.#bytes += packet.size;
    this.#untold.push(packet);
    return seq;
  }

  #isUntold(seq) {
    return this.#untold.some((packet) => packet.seq == seq);
  }

  /**
   * Withdraws a request, or has the leader do so if possible. True if it is certain that no tab
   * sends it.
   */
  #withdraw(seq) {
    const packet = this.#mine.get(seq);
    // No leader accepts the packet from now on.
    if (packet) packet.withdrawn = true;
    const isUntold = this.#isUntold(seq);
    if (!isUntold) this.#ask({ forget: seq, tab: this.id });
    return isUntold;
  }

  #flush() {
    if (!this.group.term) return;
    const packets = this.#untold.splice(0);
    if (packets[0]) this.#ask({ packets });
  }

  /** Asks the leader, which may be this tab itself. */
  #ask(message) {
    if (this.#lead) this.#lead.hear(message);
    else this.#post(message);
  }

  #post(message) {
    this.#channel?.postMessage(message);
  }

  #join() {
    this.#joining = true;
    this.#post({ join: this.id });
  }

  #hear(message) {
    const { group } = this;
    if (message.seek) return this.#help(message);
    if (!message.term) return this.#lead?.hear(message);
    // The message is for another tab, or an earlier leader's message is late.
    if ((message.to || this.id) != this.id || message.term < group.term) return;
    if (message.group) return this.#adopt(message.group);
    if (message.term == group.term && message.index == group.index + 1) {
      group.index++;
      this.perform(message.deed, message.words);
    } else if (!this.#joining && !this.#lead) {
      this.#join();
    }
  }

  /** A tab that is about to lead asks for newer states than its own. */
  #help({ seek, term, index }) {
    const { group } = this;
    const ahead = group.term > term || (group.term == term && group.index > index);
    if (ahead) this.cast({ group, to: seek });
  }

  #adopt(next) {
    const before = this.group;
    if (next.term == before.term && next.index < before.index) return;
    this.#joining = false;
    this.group = next;
    if (this.#lead) this.#stop();
    const known = before.term > 0;
    const another = next.epoch != before.epoch;
    // Deeds that the tab has not received by now will not arrive any more.
    const missed = known && (another || next.received > before.received);
    if (another) this.anew();
    if (!known || missed) this.#heard = Math.max(this.#heard, next.received);
    if (!known && next.rtt != undefined) this.say(MEASURED, [next.rtt]);
    if (known && another) this.say(SESSION_LOST, [4100, 0, 0]);
    if (missed || "" + next.status != before.status) this.#show(missed);
    this.#retell();
    if (this.leaving) this.#post({ leave: this.id });
  }

  #show(missed) {
    const [kind, [a, b, c], parts, text] = this.group.status;
    if (kind) this.say(kind, [a, missed ? 0 : b, c], parts, text);
  }

  /** Sends again the packets that the leader has not accepted, and forgets the confirmed ones. */
  #retell() {
    const { id, group } = this;
    const kept = new Set(group.log.map(({ tab, seq }) => tab == id && seq));
    const last = group.last[id] || 0;
    this.#untold = [];
    for (const [seq, packet] of this.#mine) {
      if (seq > last) this.#untold.push(packet);
      else if (!kept.has(seq)) this.done({ tab: id, seq });
    }
    this.#flush();
  }

  // Leadership.

  #queue() {
    const { signal } = (this.#waiting = new AbortController());
    navigator.locks
      .request(
        this.#name,
        { signal },
        () => new Promise((release) => this.#elected(signal, release)),
      )
      .catch(() => {});
  }

  async #elected(signal, release) {
    this.#release = release;
    try {
      await this.desk.load();
    } catch {
      // The client gives up.
      return release();
    }
    if (await this.#mayKnowMore()) {
      const { term, index } = this.group;
      this.#post({ seek: this.id, term, index });
      await new Promise((resolve) => setTimeout(resolve, SETTLE));
    }
    if (signal.aborted) return release();
    this.#lead = this.#makeLead();
    this.#retell();
    this.#lead.start();
    if (this.leaving) this.#quit();
    this.say();
  }

  /**
   * True if messages of a leader that has ended may be on their way, or if other tabs have received
   * them.
   */
  async #mayKnowMore() {
    return this.group.term ? this.group.leader : this.#hasWaiting();
  }

  /** Closes the session if this is the last tab, otherwise leaves it to the others. */
  async #quit() {
    // A page that is unloaded cannot wait. A page that stays checks which tabs really wait to lead:
    // some of those it knows may have ended.
    const others = !this.isLast && (this.group.asleep.size || (await this.#hasWaiting()));
    if (!this.#lead) return;
    if (others) this.#lead.perform("left", this.id);
    else this.#lead.do(acts.CLOSE, this.now());
    this.say();
  }

  async #hasWaiting() {
    const { pending } = await navigator.locks.query();
    return pending.some(({ name }) => name == this.#name);
  }

  /** Lets another tab lead. */
  #retire() {
    if (this.#lead) this.#lead.perform("bye");
    this.#stop();
  }

  #stop() {
    const leads = this.#lead;
    this.#lead = undefined;
    // The network drops its connections.
    if (leads) {
      this.say(TRIAL, [0]);
      this.say(DROP);
    }
    leads?.end();
    this.#release?.();
  }
}

/** How long the last messages of a leader that has ended may be on their way, in milliseconds. */
const SETTLE = 150;
/**
 * How long the leader's message that a request has timed out may be on its way, in milliseconds.
 */
const LATE = 1000;
/** How long a tab that leaves waits until the leader has accepted its packets, in milliseconds. */
const PATIENCE = 6000;
