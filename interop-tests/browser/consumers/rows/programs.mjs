/** Programs: whatever runs JavaScript without a browser. */

import { BUN, DENO, NODE } from "../runtimes.mjs";

const FILES = {
  "imported.mjs": `
import * as bowline from "bowline-client";
import { SharedClient } from "bowline-client/shared";
import { sessionStore } from "bowline-client/store";
import { converse, EXPECTED } from "./app/conversation.js";

const fail = (words) => (console.log(words), process.exit(1));
// A server that renders: nothing may throw before somebody connects.
const rendered = new bowline.Client("/bowline", { store: sessionStore() });
const refused = await rendered.connect().catch((error) => error);
if (!(refused instanceof bowline.BowlineError) || refused.code !== "invalid-option") fail(refused);

for (const Client of [bowline.Client, SharedClient]) {
  const words = await converse({ ...bowline, Client }, process.env.BOWLINE_URL);
  if (words !== EXPECTED) fail(words);
}
process.exit(0);
`,
  "required.cjs": `
const bowline = require("bowline-client");
const { SharedClient } = require("bowline-client/shared");
const { CloseCode } = require("bowline-client/close-codes");
require("bowline-client/store");

const fail = (words) => (console.log(words), process.exit(1));
if (CloseCode.NORMAL !== 1000 || !(SharedClient.prototype instanceof bowline.Client)) fail("other classes");
import("bowline-client").then(async ({ Client }) => {
  // One class, however a program and what it uses get at the package.
  if (Client !== bowline.Client) fail("two copies");
  const { converse, EXPECTED } = await import("./app/conversation.js");
  const words = await converse(bowline, process.env.BOWLINE_URL);
  if (words !== EXPECTED) fail(words);
  process.exit(0);
}).catch(fail);
`,
};

const runtime = (name, tested, start) => ({
  name,
  tested,
  packages: {},
  async run(project) {
    await project.app("app");
    await project.write({ ...FILES, "app/package.json": '{ "type": "module" }' });
    const [program, ...words] = start(project);
    for (const file of Object.keys(FILES)) {
      await project.run(program, [...words, file], { env: { BOWLINE_URL: project.bowline } });
    }
  },
});

const node = Object.entries(NODE).map(([major, version]) =>
  runtime(`Node ${major}`, version, (project) => [project.runtimes.node(major)]),
);
const bun = runtime("Bun 1", BUN, (project) => [project.runtimes.bun()]);
const deno = runtime("Deno 2", DENO, (project) => [
  project.runtimes.deno(),
  "run",
  "--allow-all",
  "--quiet",
  "--no-prompt",
]);

export const programs = [...node, bun, deno];
