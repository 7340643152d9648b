/** The field where a message is written, with a file beside it if wanted. */
import { announce, byId, el, icon } from "./dom.js";

export class Composer {
  #send;
  #file;
  #typedAt = 0;

  constructor({ send, typing }) {
    this.#send = send;
    const text = byId("text");
    text.addEventListener("keydown", (event) => this.#key(event));
    text.addEventListener("input", () => this.#typed(text, typing));
    text.addEventListener("paste", ({ clipboardData }) => this.#attach(clipboardData.files[0]));
    byId("composer").addEventListener("submit", (event) => this.#submit(event));
    byId("attach").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", ({ target }) => {
      this.#attach(target.files[0]);
      target.value = "";
    });
    this.#acceptDrops(document.querySelector(".talk"));
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  }

  #typed(text, typing) {
    fit(text);
    if (!this.#file) this.#detach();
    if (Date.now() - this.#typedAt < TYPING_EVERY) return;
    this.#typedAt = Date.now();
    typing();
  }

  #submit(event) {
    event.preventDefault();
    const field = byId("text");
    const text = field.value.trim();
    if (text === "" && !this.#file) return;
    this.#send(text, this.#file);
    this.#typedAt = 0;
    field.value = "";
    fit(field);
    this.#detach();
    field.focus();
  }

  async #attach(file) {
    if (!file) return;
    this.#detach();
    if (file.size > MAX_FILE) return showProblem(`${file.name} is too large: ${size(MAX_FILE)} at most.`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    this.#file = { name: file.name, kind: file.type || "application/octet-stream", bytes };
    const preview = isPicture(file.type) && el("img", { src: URL.createObjectURL(file), alt: "" });
    const remove = el("button", { type: "button", class: "quiet", "aria-label": `Remove ${file.name}`, onclick: () => {
      this.#detach();
      byId("text").focus();
    } }, icon("close"));
    byId("attached").replaceChildren(preview || icon("file"), el("span", {}, `${file.name}, ${size(file.size)}`), remove);
    byId("attached").hidden = false;
    announce(`${file.name} is attached.`);
    byId("text").focus();
  }

  #detach() {
    this.#file = undefined;
    const preview = byId("attached").querySelector("img");
    if (preview) URL.revokeObjectURL(preview.src);
    byId("attached").replaceChildren();
    byId("attached").hidden = true;
    byId("attached").classList.remove("problem");
  }

  #acceptDrops(talk) {
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    talk.addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      talk.classList.add("dropping");
    });
    talk.addEventListener("dragleave", (event) => {
      if (!talk.contains(event.relatedTarget)) talk.classList.remove("dropping");
    });
    talk.addEventListener("drop", (event) => {
      event.preventDefault();
      talk.classList.remove("dropping");
      this.#attach(event.dataTransfer.files[0]);
    });
  }
}

/** Kinds that are shown; everything else is offered as a file. */
export const isPicture = (kind) => /^image\/(png|jpeg|gif|webp|avif)$/.test(kind);

/** A number of bytes for people. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

function showProblem(text) {
  byId("attached").classList.add("problem");
  byId("attached").replaceChildren(icon("lost"), el("span", {}, text));
  byId("attached").hidden = false;
  announce(text);
}

const TYPING_EVERY = 2000;

/** Bytes of a file, so that it fits into one message of the server's 4 MiB. */
const MAX_FILE = 4_000_000;
