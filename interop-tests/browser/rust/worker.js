/** The application in Rust in a worker: plays one story. */

import init, { play } from "/package/app.js";
import { World } from "../world.js";

addEventListener("unhandledrejection", ({ reason }) =>
  postMessage({ broken: `an unhandled rejection: ${reason}` }),
);
addEventListener("message", async ({ data: { seed, story, transport } }) => {
  postMessage({ broken: await play(story, transport, World.revive(seed)) });
});
await init();
postMessage("ready");
