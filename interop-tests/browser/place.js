/**
 * Has the conversations of `consumers/app` here, where the address of the server is that of the
 * hash, and tells whoever embeds it.
 */

import * as bowline from "/package/index.js";
import { SharedClient } from "/package/shared.js";
import { sessionStore } from "/package/store.js";
import { converse } from "./consumers/app/conversation.js";

const url = decodeURIComponent(location.hash.slice(1)) || "/bowline";

async function both() {
  const first = await converse(bowline, url, { store: sessionStore() });
  return [first, await converse({ ...bowline, Client: SharedClient }, url)];
}

const said = both().catch((error) => `${error?.stack ?? error}`);
window.said = said;
said.then((words) => parent.postMessage({ words }, "*"));
