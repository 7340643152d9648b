/** Runs one story and tells the page around it what broke: `null` when nothing did. */

import * as module from "/package/index.js";
import { play } from "./play.js";

addEventListener("message", async ({ data: task }) => {
  parent.postMessage({ broken: await play(task, module) }, "*");
});
parent.postMessage("ready", "*");
