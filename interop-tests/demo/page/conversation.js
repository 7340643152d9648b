/** The messages of a room, and how far each has come. */
import { announce, byId, clock, count, el, icon } from "./dom.js";
import { isPicture, size } from "./composer.js";
import { avatar } from "./rooms.js";

export class Conversation {
  /** How many people beside this one are in the room. */
  others = 0;
  #me;
  #again;
  #receipt;
  /** Every message of every room that was entered, by its id. */
  #messages = new Map();
  #room;
  #typing = new Map();
  #loss;
  #isAtEnd = true;

  constructor(me, { again, receipt }) {
    this.#me = me;
    this.#again = again;
    this.#receipt = receipt;
    document.addEventListener("visibilitychange", () => this.#look());
    this.#stayAtEnd();
  }

  /** A message of this person, not sent yet. */
  add(room, text, file) {
    const { bytes, ...about } = file ?? {};
    const message = {
      id: crypto.randomUUID(), room, text, file: file && about, bytes,
      author: this.#me, at: Date.now(), mark: "sending", delivered: 0, seen: 0,
    };
    this.#messages.set(message.id, message);
    this.#append(message);
    this.#toEnd();
    return message;
  }

  /** A message from the server: new, or one of a room's history that may be known already. */
  receive(said, bytes) {
    const known = this.#messages.get(said.id);
    if (known) return known.author.id === this.#me.id && this.confirmed(known, said.at);
    const message = { ...said, bytes, mark: "server", delivered: 0, seen: 0 };
    this.#messages.set(message.id, message);
    this.#typing.delete(message.author.id);
    this.#showTyping();
    if (message.room === this.#room) this.#append(message);
    if (message.author.id !== this.#me.id) this.#acknowledge(message);
  }

  /** The server has the message. */
  confirmed(message, at) {
    message.at = at;
    if (["sending", "unknown", "lost"].includes(message.mark)) this.#set(message, reached(message));
  }

  /** Others have the message, or have seen it. */
  mark({ id, delivered, seen }) {
    const message = this.#messages.get(id);
    if (message?.author.id !== this.#me.id) return;
    Object.assign(message, { delivered, seen });
    this.#set(message, reached(message));
  }

  /** The server's word will not come: nobody knows yet whether it has the message. */
  failed(message, error) {
    if (message.mark !== "sending") return;
    message.why = WHY[error.code] ?? `not sent: ${error.payload ?? error.code}`;
    this.#set(message, error.code === "session-lost" ? "unknown" : "lost");
  }

  /** Says what is lost, in the place where it happened. */
  sessionLost({ code, confirmed, unknown }) {
    const heading = "The server no longer has this session.";
    const doubt = unknown === 0 ? "none is in doubt" : `${unknown} may or may not have arrived`;
    const counts = `Of what this window had sent, ${count(confirmed, "packet")} had been confirmed, ${doubt} (close code ${code}).`;
    this.#loss = el("li", { class: "told" }, el("strong", {}, heading), el("p", {}, counts));
    byId("messages").append(this.#loss);
    this.#toEnd();
  }

  /** Shows a room with what is known of it. */
  show(room) {
    if (room === this.#room) return;
    this.#room = room;
    this.#typing.clear();
    byId("messages").setAttribute("aria-busy", "true");
    byId("messages").replaceChildren();
    const ofRoom = [...this.#messages.values()].filter((message) => message.room === room);
    ofRoom.toSorted((a, b) => a.at - b.at).forEach((message) => this.#append(message));
  }

  /** The room's history is here: what it does not contain has not arrived. */
  settle(room) {
    byId("messages").setAttribute("aria-busy", "false");
    const open = [...this.#messages.values()].filter((message) => message.room === room && message.mark === "unknown");
    for (const message of open) {
      message.why = "lost with the session";
      this.#set(message, "lost");
    }
    this.#loss?.append(el("p", {}, verdict(open.length)));
    this.#loss?.classList.toggle("bad", open.length > 0);
    if (open.length) announce(verdict(open.length));
    this.#loss = undefined;
    this.#toEnd();
  }

  /** Somebody writes. */
  typing({ id, name }) {
    clearTimeout(this.#typing.get(id)?.timer);
    const timer = setTimeout(() => {
      this.#typing.delete(id);
      this.#showTyping();
    }, TYPING_LASTS);
    this.#typing.set(id, { name, timer });
    this.#showTyping();
  }

  #showTyping() {
    const names = [...this.#typing.values()].map(({ name }) => name);
    byId("typing").textContent = names.length ? `${names.join(", ")} ${names.length === 1 ? "is" : "are"} writing…` : "";
  }

  #acknowledge(message) {
    message.seenByMe = !document.hidden;
    this.#receipt(message, message.seenByMe);
  }

  /** What came while the window was hidden is seen now. */
  #look() {
    if (document.hidden) return;
    for (const message of this.#messages.values()) {
      if (message.seenByMe === false && message.room === this.#room) this.#acknowledge(message);
    }
  }

  #append(message) {
    const list = byId("messages");
    const last = this.#messages.get(list.lastElementChild?.dataset.id);
    const follows = last?.author.id === message.author.id && Math.abs(message.at - last.at) < GROUP;
    const own = message.author.id === this.#me.id;
    const author = el("span", { class: `author${own || follows ? " hidden" : ""}` }, own ? "You" : message.author.name);
    const disc = avatar(message.author);
    author.style.setProperty("--hue", disc.style.getPropertyValue("--hue"));
    message.element = el("li", { class: `message${own ? " own" : ""}${follows ? " follows" : ""}`, "data-id": message.id },
      disc, author, bubble(message), el("div", { class: "meta" }));
    this.#set(message, own ? (message.mark === "server" ? reached(message) : message.mark) : "received");
    list.append(message.element);
  }

  #set(message, mark) {
    if (mark !== "received") message.mark = mark;
    if (!message.element) return;
    message.element.dataset.mark = mark;
    const [drawing, words] = this.#words(message, mark);
    const tick = drawing && el("span", { class: "tick meta-tick" }, words);
    const again = mark === "lost" && el("button", { type: "button", onclick: () => this.#sendAgain(message) }, "Send again");
    const time = el("time", { dateTime: new Date(message.at).toISOString() }, clock(message.at));
    const parts = [time, drawing && icon(drawing), tick, again].filter(Boolean);
    if (drawing) parts[1].classList.add("tick");
    message.element.querySelector(".meta").replaceChildren(...parts);
    if (mark === "lost") announce(`Not delivered: ${message.why}`);
  }

  #words({ delivered, seen, why }, mark) {
    switch (mark) {
      case "sending": return ["sending", "sending"];
      case "server": return ["server", this.others > 0 ? "on the server" : "on the server, nobody else here"];
      case "delivered": return ["delivered", `delivered to ${delivered}`];
      case "seen": return ["delivered", seen < delivered ? `delivered to ${delivered}, seen by ${seen}` : `seen by ${seen}`];
      case "unknown": return ["unknown", "unknown, asking"];
      case "lost": return ["lost", why];
      default: return [undefined, ""];
    }
  }

  #sendAgain(message) {
    message.at = Date.now();
    this.#set(message, "sending");
    byId("text").focus();
    this.#again(message);
  }

  /** Whoever reads the newest message goes on to do so when pictures load or room is lost. */
  #stayAtEnd() {
    const scroll = byId("scroll");
    scroll.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = scroll;
      this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    });
    const stay = new ResizeObserver(() => this.#isAtEnd && this.#toEnd());
    stay.observe(scroll);
    stay.observe(byId("messages"));
  }

  #toEnd() {
    this.#isAtEnd = true;
    byId("scroll").scrollTop = byId("scroll").scrollHeight;
  }
}

function reached({ delivered, seen }) {
  return seen ? "seen" : delivered ? "delivered" : "server";
}

function verdict(lost) {
  if (lost === 0) return "Compared with the room’s history: no message is missing. A new session has taken its place.";
  return `Compared with the room’s history: ${count(lost, "message")} did not arrive. Nothing was sent twice.`;
}

function bubble({ text, file, bytes }) {
  if (!file) return el("div", { class: "bubble" }, text);
  const url = URL.createObjectURL(new Blob([bytes], { type: isPicture(file.kind) ? file.kind : "application/octet-stream" }));
  const content = isPicture(file.kind)
    ? el("img", { src: url, alt: file.name })
    : el("a", { class: "document", href: url, download: file.name }, icon("file"),
      el("span", {}, file.name, el("small", {}, size(bytes.length))));
  return el("div", { class: isPicture(file.kind) ? "bubble picture" : "bubble" }, content, text ? el("p", {}, text) : "");
}

const WHY = {
  "too-large": "not sent: too large for the server",
  full: "not sent: too much waits already",
  timeout: "no answer came",
  closed: "not sent: the session is closed",
};

/** Milliseconds within which messages of one person are shown as one group. */
const GROUP = 180_000;
const TYPING_LASTS = 3000;

/** Pixels from the end within which somebody reads the newest message. */
const NEAR_END = 80;
