/** The page of the support desk: logs in, then talks about tickets over one session. */

import { Client } from "/bowline-client/index.js";

const at = (id) => document.getElementById(id);
const forced = new URLSearchParams(location.search).get("transport");
let [client, me, ticket, quiet] = [];
const people = new Map();

at("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ name: at("name").value, password: at("password").value });
  const answer = await fetch("/login", { method: "POST", headers: { "content-type": "application/json" }, body });
  if (answer.ok) start(await answer.json());
  else at("told").textContent = "This name and password do not fit.";
});

at("logout").addEventListener("click", () => fetch("/logout", { method: "POST" }));

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  // Kept while there is no connection, and answered when the server has kept it.
  await client.request("say", { ticket: ticket.id, text }, { timeout: 60_000 }).catch(tell);
});

at("text").addEventListener("input", () => client.emitVolatile("typing", ticket.id));

/** Connects as this person. The cookie says who it is, so the session needs no token. */
async function start(person) {
  me = person;
  at("me").textContent = me.agent ? `${me.name}, agent` : me.name;
  document.body.dataset.view = "desk";
  at("told").textContent = "";
  client = new Client("/bowline", forced ? { transports: [forced] } : {});
  client.on("said", ({ at: { offset }, payload }) => addLine(offset, payload));
  client.on("typing", showTyping);
  client.on("here", (present) => show(present, []));
  client.on("bowline.presence", ({ joined, left }) => show(joined, left));
  client.handle("how-are-you", (who) => `${document.hidden ? "hidden" : "open"}, asked by ${who}`);
  client.onStatus(onStatus);
  await client.connect().catch(() => {});
}

function onStatus(status) {
  const { state } = status;
  at("connection").textContent = state === "connected" ? `connected by ${status.transport}` : state;
  at("connection").dataset.state = state;
  // A new session has joined nothing yet.
  if (state === "connected" && !status.resumed) loadTickets().catch(tell);
  if (state === "closed") stop(status.reason ?? "The session has ended.");
}

function stop(reason) {
  document.body.dataset.view = "login";
  at("password").value = "";
  at("told").textContent = `${reason}`;
  [ticket, at("talk").hidden, at("choose").hidden] = [undefined, true, false];
}

async function loadTickets() {
  const tickets = await client.request("tickets");
  at("tickets").replaceChildren(...tickets.map((each) => {
    const [button, customer] = [document.createElement("button"), document.createElement("small")];
    [button.textContent, customer.textContent] = [each.subject, each.customer];
    [button.dataset.ticket, button.ariaPressed] = [each.id, `${each.id === ticket?.id}`];
    button.append(customer);
    button.addEventListener("click", () => open(each).catch(tell));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
  if (ticket) await open(ticket);
}

async function open(chosen) {
  if (ticket && ticket.id !== chosen.id) client.request("leave", ticket.id).catch(tell);
  ticket = chosen;
  people.clear();
  for (const id of ["people", "lines"]) at(id).replaceChildren();
  for (const button of document.querySelectorAll("[data-ticket]")) {
    button.ariaPressed = `${button.dataset.ticket === `${ticket.id}`}`;
  }
  at("subject").textContent = ticket.subject;
  [at("talk").hidden, at("choose").hidden] = [false, true];
  await client.request("open", ticket.id);
  at("text").focus();
}

function addLine(offset, { who, text }) {
  const [line, name] = [document.createElement("li"), document.createElement("b")];
  name.textContent = who;
  line.append(name, text);
  line.value = offset;
  line.classList.toggle("mine", who === me.name);
  at("lines").append(line);
  line.scrollIntoView({ block: "nearest" });
  at("typing").textContent = "";
}

function showTyping(who) {
  at("typing").textContent = `${who} is typing …`;
  clearTimeout(quiet);
  quiet = setTimeout(() => (at("typing").textContent = ""), 2_000);
}

function show(joined, left) {
  for (const { session } of left) people.delete(session);
  for (const present of joined) people.set(present.session, present);
  at("people").replaceChildren(...[...people.values()].map(person));
}

function person({ session, info, away }) {
  const item = document.createElement("li");
  item.textContent = info.name;
  item.classList.toggle("away", Boolean(away));
  if (away) item.title = "away";
  if (me.agent && !info.agent) item.append(tool("Probe", () => probe(session)), tool("Send away", () => client.request("send-away", session)));
  return item;
}

async function probe(session) {
  const { milliseconds, page } = await client.request("probe", session);
  tell(`The page is ${page}, and answered in ${milliseconds} ms.`);
}

function tool(name, act) {
  const button = document.createElement("button");
  button.className = "quiet";
  button.textContent = name;
  button.addEventListener("click", () => Promise.resolve(act()).catch(tell));
  return button;
}

function tell(words) {
  at("typing").textContent = words.message ?? words;
}

// A page that is loaded again has its cookie still.
const known = await fetch("/me");
if (known.ok) start(await known.json());
