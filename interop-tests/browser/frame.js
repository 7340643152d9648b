/** Runs one story and tells the page around it what broke: `null` when nothing did. */

import * as client from "/package/index.js";
import * as diagnostics from "/package/diagnostics.js";
import * as namespaces from "/package/namespaces.js";
import * as streams from "/package/streams.js";
import * as topics from "/package/topics.js";
import { play } from "./play.js";

let stray = null;
addEventListener("error", ({ message }) => note(message));
addEventListener("unhandledrejection", ({ reason }) =>
  note(`not handled: ${reason?.stack ?? reason}`),
);

addEventListener("message", async ({ data: task }) => {
  const broken = await play(task, {
    ...client,
    ...diagnostics,
    ...namespaces,
    ...streams,
    ...topics,
  });
  parent.postMessage({ broken: broken ?? stray }, "*");
});
parent.postMessage("ready", "*");

/** What nobody has caught breaks a story too, unless it was thrown for that. */
function note(words) {
  if (!words.includes("on purpose")) stray ??= words;
}
