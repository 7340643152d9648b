// An application as a bundler gets it: all entries of the package, and a worker. The title says how
// it went.
import * as bowline from "bowline-client";
import { CloseCode } from "bowline-client/close-codes";
import { SharedClient } from "bowline-client/shared";
import { sessionStore } from "bowline-client/store";
import { converse } from "./conversation.js";

const url = globalThis.BOWLINE_URL ?? "/bowline";

async function everything() {
  const page = await converse(bowline, url, { store: sessionStore() });
  const shared = await converse({ ...bowline, Client: SharedClient }, url);
  return `${page}, ${shared}, ${CloseCode.NORMAL}`;
}

everything().then(
  (words) => (document.title = words),
  (error) => (document.title = `failed: ${error}`),
);
