/** The page of the support desk: logs in, then talks about tickets over one session. */

import { Client } from "/bowline-client/index.js";
import { stream, upload } from "/bowline-client/streams.js";
import { subscribe } from "/bowline-client/topics.js";

const at = (id) => document.getElementById(id);
const forced = new URLSearchParams(location.search).get("transport");
let [client, me, ticket, talk, quiet] = [];
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

at("file").addEventListener("change", async ({ target }) => {
  for (const file of target.files) await attach(file);
  target.value = "";
});

at("text").addEventListener("input", () => client.emitVolatile("typing", ticket.id));

/** Connects as this person. The cookie says who it is, so the session needs no token. */
async function start(person) {
  me = person;
  at("me").textContent = me.agent ? `${me.name}, agent` : me.name;
  document.body.dataset.view = "desk";
  at("told").textContent = "";
  client = new Client("/bowline", forced ? { transports: [forced] } : {});
  client.on("bowline.presence", ({ joined, left }) => show(joined, left));
  client.handle("how-are-you", (who) => `${document.hidden ? "hidden" : "open"}, asked by ${who}`);
  client.onStatus(onStatus);
  await client.connect().catch(() => {});
}

function onStatus(status) {
  const { state } = status;
  at("connection").textContent = state === "connected" ? `connected by ${status.transport}` : state;
  at("connection").dataset.state = state;
  // The subscription comes back by itself; who is there may have changed.
  if (state === "connected" && !status.resumed) loadTickets().then(loadPeople).catch(tell);
  if (state === "closed") stop(status.reason ?? "The session has ended.");
}

function stop(reason) {
  document.body.dataset.view = "login";
  at("password").value = "";
  at("told").textContent = `${reason}`;
  [ticket, talk, at("talk").hidden, at("choose").hidden] = [undefined, undefined, true, false];
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
}

async function open(chosen) {
  talk?.close();
  ticket = chosen;
  for (const id of ["people", "lines"]) at(id).replaceChildren();
  for (const button of document.querySelectorAll("[data-ticket]")) {
    button.ariaPressed = `${button.dataset.ticket === `${ticket.id}`}`;
  }
  at("subject").textContent = ticket.subject;
  [at("talk").hidden, at("choose").hidden] = [false, true];
  talk = await subscribe(client, `ticket/${ticket.id}`, { since: { last: 50 } });
  listen(talk).catch(tell);
  await loadPeople();
  at("text").focus();
}

/** Shows what is published about a ticket, until another one is opened. */
async function listen(subscription) {
  for await (const { name, payload, missing } of subscription) {
    if (missing) tell("Some messages are lost.");
    else if (name === "typing") showTyping(payload);
    else addLine(payload);
  }
}

async function loadPeople() {
  if (!ticket) return;
  people.clear();
  show(await client.request("here", ticket.id), []);
}

function addLine({ who, text, file, name, size }) {
  const [line, author] = [document.createElement("li"), document.createElement("b")];
  author.textContent = who;
  line.append(author, file ? link(file, name, size) : text);
  line.classList.toggle("mine", who === me.name);
  at("lines").append(line);
  line.scrollIntoView({ block: "nearest" });
  at("typing").textContent = "";
}

/** Reads the file when it is wanted. */
function link(file, name, size) {
  const button = tool(`${name}, ${Math.ceil(size / 1024)} KiB`, async () => {
    const parts = [];
    for await (const part of stream(client, "file", file)) parts.push(part);
    const [anchor, url] = [document.createElement("a"), URL.createObjectURL(new Blob(parts))];
    [anchor.href, anchor.download] = [url, name];
    anchor.click();
    URL.revokeObjectURL(url);
  });
  return button;
}

async function attach(file) {
  const about = { ticket: ticket.id, name: file.name };
  const progress = at("progress");
  progress.hidden = false;
  const onProgress = ({ sent }) => (progress.value = file.size ? sent / file.size : 1);
  await upload(client, "attach", file, { payload: about, onProgress }).catch(tell);
  progress.hidden = true;
}

function showTyping(who) {
  if (who === me.name) return;
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
