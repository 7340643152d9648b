/** The same in a worker that is made of a module: dedicated, shared or of a service. */

import * as bowline from "/package/index.js";
import { converse } from "./consumers/app/conversation.js";

const tell = (to) =>
  converse(bowline, "/bowline").then(
    (words) => to.postMessage(words),
    (error) => to.postMessage(`${error?.stack ?? error}`),
  );

if (globalThis.onconnect !== undefined) addEventListener("connect", ({ ports }) => tell(ports[0]));
else if (globalThis.clients) addEventListener("message", ({ ports }) => tell(ports[0]));
else tell(globalThis);
