/** The rooms, and who is in this one. */
import { byId, el, hue } from "./dom.js";

export class Rooms {
  #me;
  #enter;

  constructor(me, { enter, rename }) {
    this.#me = me;
    this.#enter = enter;
    byId("name").value = me.name;
    byId("name").addEventListener("change", () => this.#rename(rename));
    byId("you").addEventListener("submit", (event) => {
      event.preventDefault();
      byId("name").blur();
      byId("text").focus();
    });
    byId("new-room").addEventListener("submit", (event) => this.#open(event));
  }

  /** Shows the rooms with how many are in each. */
  list(rooms, current) {
    const focused = document.activeElement?.dataset?.room;
    byId("rooms").replaceChildren(...rooms.map((room) => this.#room(room, current)));
    if (focused) document.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
    byId("room-name").textContent = current;
    document.title = `${current} – Bowline demo`;
  }

  /** Shows who is in this room. */
  here(people) {
    const mine = ({ id }) => id === this.#me.id;
    const sorted = people.toSorted((a, b) => mine(b) - mine(a) || a.name.localeCompare(b.name));
    byId("people").replaceChildren(...sorted.map((person) => this.#person(person)));
    byId("people-count").textContent = people.length;
  }

  #room({ name, people }, current) {
    const size = people && el("span", { class: "size", "aria-label": `${people} here` }, `${people}`);
    const isCurrent = name === current && "true";
    const enter = () => this.#enter(name);
    return el("li", {}, el("button", { "data-room": name, "aria-current": isCurrent, onclick: enter }, name, size || ""));
  }

  #person({ id, name, transport }) {
    const how = transport ? NAMES[transport] : "away, session kept";
    return el("li", { class: transport ? "" : "away" }, avatar({ id, name }),
      el("span", { class: "who" }, id === this.#me.id ? `${name} (you)` : name),
      el("span", { class: "how" }, how));
  }

  #open(event) {
    event.preventDefault();
    const field = byId("new-room-name");
    const name = field.value.trim();
    field.value = "";
    if (name) this.#enter(name);
  }

  #rename(rename) {
    const name = byId("name").value.trim();
    if (name && name !== this.#me.name) rename(name);
    byId("name").value = this.#me.name;
  }
}

/** A disc with a person's initials. */
export function avatar({ id, name }) {
  const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  const disc = el("span", { class: "avatar", "aria-hidden": "true" }, initials);
  disc.style.setProperty("--hue", hue(id));
  return disc;
}

/** What people call the transports. */
export const NAMES = { websocket: "WebSocket", sse: "SSE + POST", polling: "Long polling" };
