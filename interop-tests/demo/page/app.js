/** The demo: a chat over one Bowline session, and a look at what carries it. */
import { Client } from "/bowline-client/index.js";
import { sessionStore } from "/bowline-client/store.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { announce, byId, count } from "./dom.js";
import { remember, whoAmI } from "./me.js";
import { Network } from "./network.js";
import { Rooms } from "./rooms.js";

/** Where everybody begins. */
const HOME = "chart table";

const me = await whoAmI();
const client = new Client("/bowline", {
  auth: () => ({ id: me.id, name: me.name }),
  // Loopback answers at once; a muted stream shall not be waited for.
  connectTimeout: 2000,
  store: sessionStore(`bowline-demo.session.${me.id}`),
});
const network = new Network(client, press);
const conversation = new Conversation(me, { again: send, receipt });
const rooms = new Rooms(me, { enter: (name) => enter(name), rename });
new Composer({ send: (text, file) => send(conversation.add(current, text, file)), typing });

let current = decodeURIComponent(location.hash.slice(1)) || HOME;
/** The last room that the server let this window in. */
let entered = HOME;
let isFirst = true;

client.on("said", (said, bytes) => conversation.receive(said, bytes));
client.on("marks", (marks) => conversation.mark(marks));
client.on("here", ({ room, people }) => room === current && here(people));
client.on("rooms", (list) => rooms.list(list, current));
client.on("typing", (who) => conversation.typing(who));
client.on("network", (notice) => network.notice(notice));
client.onStatus(onStatus);
addEventListener("hashchange", () => enter(decodeURIComponent(location.hash.slice(1))));
client.connect().catch((error) => network.tell(`The server refuses: ${error.message}`, "bad"));

/**
 * A session that is new has entered nothing, and a page that is new knows nothing of what was said.
 */
function onStatus(status) {
  network.status(status);
  if (status.state === "session-lost") conversation.sessionLost(status);
  if (status.state === "connected" && (isFirst || !status.resumed)) {
    isFirst = false;
    enter(current);
  }
}

async function enter(room) {
  if (room === "") return;
  const changes = room !== current;
  current = room;
  conversation.show(room);
  try {
    const { people, rooms: list, network: pressed } = await client.request("enter", { room });
    if (room !== current) return;
    entered = room;
    history.replaceState(null, "", `#${encodeURIComponent(room)}`);
    byId("another").href = location.href;
    here(people);
    rooms.list(list, room);
    network.pressed(pressed);
    conversation.settle(room);
    if (changes) announce(`You are in ${room}.`);
  } catch (error) {
    // The next session enters by itself.
    if (error.code === "session-lost") return;
    network.tell(`${room}: ${error.payload ?? error.code}`, "bad");
    if (error.code === "no-room" && room === current) enter(entered);
  }
}

/** Says a message, and follows it until the server has it or nobody knows. */
async function send(message) {
  const { id, room, text, file, bytes } = message;
  try {
    const payload = { id, room, text, file };
    const { at } = await client.request("say", payload, { bytes, timeout: PATIENCE });
    conversation.confirmed(message, at);
  } catch (error) {
    conversation.failed(message, error);
  }
}

function receipt(said, seen) {
  client.emit("receipt", { room: said.room, id: said.id, seen });
}

function typing() {
  client.emitVolatile("typing");
}

function rename(name) {
  me.name = name;
  remember(me);
  client.emit("rename", name);
}

async function press(button) {
  try {
    await client.request("press", button);
  } catch (error) {
    if (error.code === "busy") network.tell("Another button still has its effect.");
  }
}

function here(people) {
  rooms.here(people);
  conversation.others = people.length - 1;
  const away = people.filter(({ transport }) => !transport).length;
  const all = people.length === 1 ? "only you" : count(people.length, "person", "people");
  byId("room-people").textContent = away ? `${all}, ${away} away` : all;
}

/**
 * How long a message waits for the server's word, in milliseconds: it is kept, so it may be long.
 */
const PATIENCE = 600_000;
