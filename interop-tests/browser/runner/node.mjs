/**
 * All tests in Node: once as it comes, which before version 22 is without WebSocket, once with it.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { World } from "../world.js";
import { Broken, equal } from "../expect.js";
import { refusalTests } from "./refusals.mjs";
import { storyTests } from "./stories.mjs";
import { vectorTest } from "./vectors.mjs";

const script = fileURLToPath(new URL("../node-process.mjs", import.meta.url));
const flag = ["--experimental-websocket"];

export async function runInNode({ report, host, packageFolder, wanted }) {
  const { folder, entry } = await consumer(packageFolder);
  const select = (tests) => tests.filter(({ name }) => wanted(name));
  const without = start(entry, ["--no-experimental-websocket"]);
  const withIt = start(entry, flag);
  try {
    await report.run(select(refusalTests(await import(pathToFileURL(entry)), host.control)), 1);
    await report.run(select([vectorTest, ladder(host.control, without)]), 1);
    const tests = [
      ...storyTests(host.control, ["websocket"], withIt.play),
      ...storyTests(host.control, ["sse", "polling"], without.play),
    ];
    await report.run(select(tests), 8);
  } finally {
    await Promise.all([without.end(), withIt.end()]);
    await rm(folder, { recursive: true });
  }
}

function ladder(control, node) {
  return {
    name: "Node without WebSocket goes on over SSE",
    async run() {
      const world = await World.create(control);
      const broken = await node.play({ seed: world.seed, ladder: true });
      if (broken !== null) throw new Broken(broken);
      // The good-bye may have arrived by now, or not.
      const kinds = (await world.journal()).map(({ kind }) => kind);
      equal(
        kinds.filter((kind) => kind !== "disconnected"),
        ["connected", "up"],
      );
      await world.end();
    },
  };
}

/** A project that depends on the package under its name, as users do. */
async function consumer(packageFolder) {
  const folder = await mkdtemp(join(tmpdir(), "bowline-consumer-"));
  await mkdir(join(folder, "node_modules"));
  await symlink(packageFolder, join(folder, "node_modules", "bowline-client"));
  const entry = join(folder, "entry.mjs");
  const lines = ["", "/streams", "/topics", "/namespaces", "/diagnostics"].map(
    (path) => `export * from "bowline-client${path}";\n`,
  );
  await writeFile(entry, lines.join(""));
  return { folder, entry };
}

/** A Node process that plays stories. */
function start(entry, execArgv) {
  const child = fork(script, [entry], { execArgv });
  const answers = new Map();
  let last = 0;
  child.on("message", ({ id, broken }) => answers.get(id)?.(broken));
  child.on("exit", (code) => {
    for (const answer of answers.values()) answer(`the Node process ended with ${code}`);
  });
  // A message that could not be sent; the end of the process is told above.
  child.on("error", () => {});
  return {
    play(task) {
      last += 1;
      const id = last;
      return new Promise((resolve) => {
        if (!child.connected) return resolve("the Node process had ended before");
        answers.set(id, resolve);
        child.send({ id, task });
      });
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
