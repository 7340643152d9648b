/** What carries the session, live, and the buttons that break it. */
import { announce, byId, clock, count, el } from "./dom.js";
import { SAMPLES, draw } from "./plot.js";
import { NAMES } from "./rooms.js";

export class Network {
  #client;
  #press;
  #samples = [];
  #askedAt;
  #awaySince;
  #transport;
  #refuses = false;
  #busy = false;
  #retryAt = 0;

  constructor(client, press) {
    this.#client = client;
    this.#press = press;
    byId("transports").replaceChildren(...Object.keys(NAMES).map((transport) => this.#choice(transport)));
    this.#showFaults();
    setInterval(() => this.#sample(), SAMPLE_EVERY);
    // Moving to the transport that served last is an attempt at once.
    byId("try-now").addEventListener("click", () => this.#client.switchTransport(this.#transport));
    panel("toggle-side", "side");
    panel("toggle-network", "network");
  }

  /** Follows the session. */
  status(status) {
    if (status.state === "connected") this.#connected(status);
    else if (this.#transport) this.#leave();
    this.#showState(status);
    this.#retryAt = status.state === "waiting" ? Date.now() + status.retryIn : 0;
    if (status.state === "session-lost") {
      const { confirmed, unknown } = status;
      this.tell(`Session lost: ${count(confirmed, "packet")} confirmed, ${unknown} unknown`, "bad");
    }
    if (status.state === "closed") this.tell(`Closed by the server (${status.code})`, "bad");
    this.#weather(status);
    this.#numbers();
  }

  /** Somebody has pressed a button, and soon something breaks. */
  notice({ button, by, lasts }) {
    const fault = FAULTS.find(({ on, off }) => on === button || off === button);
    if (fault.off) this.#refuses = button === fault.on;
    this.tell(`${by.name} ${fault.off === button ? fault.undone : fault.done}`);
    if (lasts === 0) return this.#showFaults();
    this.#busy = true;
    this.#showFaults(button, lasts);
    setTimeout(() => {
      this.#busy = false;
      this.#showFaults();
    }, lasts + NOTICE);
  }

  /** How the network was before this window came. */
  pressed({ refusesWebsocket }) {
    this.#refuses = refusesWebsocket;
    if (!this.#busy) this.#showFaults();
  }

  /** Adds to the story. */
  tell(text, kind) {
    const item = el("li", {}, el("time", {}, clock(Date.now(), true)), el("span", { "data-kind": kind }, text));
    byId("log").prepend(item);
    while (byId("log").childElementCount > STORY) byId("log").lastElementChild.remove();
  }

  #connected({ transport, resumed }) {
    const away = this.#awaySince && `${((Date.now() - this.#awaySince) / 1000).toFixed(1)} s`;
    const by = NAMES[transport];
    if (!resumed) this.tell(`A new session over ${by}`, "good");
    else if (away) this.tell(`Resumed over ${by} after ${away}, nothing lost`, "good");
    else if (this.#transport) this.tell(`Moved from ${NAMES[this.#transport]} to ${by}, nothing lost`, "good");
    else this.tell(`Resumed over ${by} after a reload`, "good");
    if (away) announce(resumed ? "Connected again, nothing lost." : "Connected again, in a new session.");
    this.#awaySince = undefined;
    this.#transport = transport;
    this.#showTransport();
  }

  #leave() {
    if (this.#awaySince) return;
    this.#awaySince = Date.now();
    announce("No connection. What you write is kept.");
  }

  /** Between two connections the attempts come and go too fast to be read. */
  #showState(status) {
    const isRetry = this.#transport && ["waiting", "connecting"].includes(status.state);
    byId("state").dataset.state = isRetry ? "waiting" : status.state;
    byId("state-text").textContent = isRetry ? "No connection" : shortly(status);
  }

  /** Says above the conversation what is wrong, if anything is. */
  #weather(status, isSilent) {
    const bar = byId("weather");
    const text = this.#trouble(status, isSilent);
    bar.hidden = text === undefined;
    bar.dataset.kind = status.state === "closed" ? "bad" : "";
    if (text !== undefined && byId("weather-text").textContent !== text) byId("weather-text").textContent = text;
    byId("try-now").hidden = status.state !== "waiting";
  }

  #trouble({ state, reason }, isSilent) {
    if (state === "closed") return `The session is closed${reason ? `: ${reason}` : ""}. Reload the page to begin anew.`;
    if (isSilent) return "The connection stands, but nothing comes. It is given a few seconds.";
    if (state === "connected" || !this.#transport) return undefined;
    const seconds = Math.ceil((this.#retryAt - Date.now()) / 1000);
    const next = seconds > 0 ? ` Next try in ${seconds}\u00a0s.` : "";
    return `No connection: what you write is kept.${next}`;
  }

  /** Twice a second: asks for the round trip, and draws. */
  #sample() {
    const isConnected = this.#client.status.state === "connected";
    const waits = this.#askedAt && performance.now() - this.#askedAt;
    const isSilent = isConnected && waits > SILENT;
    if (isConnected && !this.#askedAt && !document.hidden) this.#ask();
    if (!isConnected) this.#askedAt = undefined;
    const { rtt, status } = this.#client;
    this.#push(!isConnected ? "off" : isSilent ? "waiting" : rtt);
    byId("rtt").textContent = !isConnected || rtt === undefined ? "–" : isSilent ? `> ${(waits / 1000).toFixed(1)} s` : milliseconds(rtt);
    if (isConnected) this.#showState(isSilent ? { state: "silent" } : status);
    this.#weather(status, isSilent);
    this.#numbers();
  }

  async #ask() {
    const asked = (this.#askedAt = performance.now());
    // A ping that fails has lost its connection, which the status tells.
    await this.#client.ping().catch(() => {});
    if (this.#askedAt === asked) this.#askedAt = undefined;
  }

  #push(sample) {
    if (sample === undefined) return;
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    draw(byId("plot"), this.#samples);
  }

  #numbers() {
    const { inFlight, resumes, transportSwitches, sessionsLost } = this.#client.stats;
    byId("in-flight").textContent = inFlight;
    byId("resumes").textContent = resumes;
    byId("switches").textContent = transportSwitches;
    byId("lost").textContent = sessionsLost;
  }

  #choice(transport) {
    const go = () => this.#client.switchTransport(transport);
    return el("button", { type: "button", "data-transport": transport, onclick: go }, SHORT[transport]);
  }

  #showTransport() {
    for (const button of byId("transports").children) {
      button.setAttribute("aria-pressed", button.dataset.transport === this.#transport);
    }
  }

  #showFaults(running, lasts) {
    const focused = document.activeElement?.dataset?.fault;
    byId("faults").replaceChildren(...FAULTS.map((fault) => this.#fault(fault, running, lasts)));
    if (focused) document.querySelector(`[data-fault="${focused}"]`)?.focus();
  }

  #fault(fault, running, lasts) {
    const runs = fault.on === running;
    const isOn = Boolean(fault.off) && this.#refuses;
    const press = () => this.#busy || this.#press(isOn ? fault.off : fault.on);
    const button = el("button", {
      type: "button", "data-fault": fault.on, class: runs ? "runs" : "", onclick: press,
      "aria-disabled": this.#busy ? "true" : undefined, "aria-pressed": fault.off && String(isOn),
    }, el("strong", {}, fault.name, isOn ? el("span", { class: "left" }, "on") : runs ? el("span", { class: "left" }, `${lasts / 1000} s`) : ""),
      el("small", {}, fault.what));
    if (runs) {
      const fuse = el("span", { class: "fuse" });
      fuse.style.setProperty("--lasts", `${lasts + NOTICE}ms`);
      button.append(fuse);
    }
    return el("li", {}, button);
  }
}

function shortly(status) {
  switch (status.state) {
    case "connected": return NAMES[status.transport];
    case "silent": return "Silent";
    case "connecting": return `Trying ${SHORT[status.transport]}`;
    case "waiting": return "No connection";
    case "session-lost": return "Session lost";
    case "closed": return "Closed";
    default: return "Starting";
  }
}

const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** On a phone, a panel is opened by its button and closed by it or by Escape. */
function panel(toggle, id) {
  const [button, region] = [byId(toggle), byId(id)];
  const show = (open) => {
    for (const other of document.querySelectorAll(".panel.open")) other.classList.remove("open");
    for (const other of document.querySelectorAll(".toggle")) other.setAttribute("aria-expanded", "false");
    region.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    (open ? region : button).focus();
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  region.addEventListener("keydown", ({ key }) => key === "Escape" && region.classList.contains("open") && show(false));
}

const FAULTS = [
  { on: "refuse-websocket", off: "allow-websocket", name: "Refuse WebSocket", what: "As many company networks do", done: "has WebSockets refused", undone: "lets WebSockets through again" },
  { on: "mute", name: "Mute the stream", what: "Not a byte comes, and nobody is told", done: "muted the server for 5 seconds" },
  { on: "cut", name: "Cut the connection", what: "And refuse new ones for 5 seconds", done: "cut every connection for 5 seconds" },
  { on: "deploy", name: "Deploy a new version", what: "Another server takes its place", done: "deploys a new version: the next server starts in 2 seconds" },
];
const SHORT = { websocket: "WebSocket", sse: "SSE", polling: "Polling" };

/** Milliseconds between samples, and after which a question counts as unanswered. */
const SAMPLE_EVERY = 500;
const SILENT = 900;

/** Milliseconds between the server's notice and what it speaks of. */
const NOTICE = 150;

/** Lines of the story that are kept. */
const STORY = 60;
