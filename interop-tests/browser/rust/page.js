/**
 * A page of the application in Rust: it plays stories, here or in a worker, or holds a
 * conversation.
 */

import init, { Talk, play, stories } from "/package/app.js";
import { World } from "../world.js";

const places = {
  page: async ({ seed, story, transport }) => play(story, transport, World.revive(seed)),

  worker: (task) =>
    new Promise((resolve) => {
      const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      const end = (broken) => {
        worker.terminate();
        resolve(broken);
      };
      worker.onerror = ({ message }) => end(`the worker failed: ${message}`);
      worker.onmessage = ({ data }) =>
        data === "ready" ? worker.postMessage(task) : end(data.broken);
    }),
};

window.test = {
  stories: () => stories().split("\n"),

  /** Resolves with what broke, or `null`. A panic is a trap, which no promise tells. */
  play(task) {
    const trapped = new Promise((resolve) => {
      addEventListener("error", ({ message }) => resolve(`an uncaught error: ${message}`));
      addEventListener("unhandledrejection", ({ reason }) =>
        resolve(`an unhandled rejection: ${reason}`),
      );
    });
    return Promise.race([places[task.place](task), trapped]);
  },

  /** Begins a conversation; resolves with the session's id. */
  talk(transport, seed) {
    window.talk = new Talk(transport, World.revive(seed));
    return window.talk.connect();
  },
};

addEventListener("pageshow", ({ persisted }) => (window.test.persisted = persisted));
init().then(window.isReady, window.isBroken);
