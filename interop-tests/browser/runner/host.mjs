/** Starts `browser-host`, which ends with its input and so with this process. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export async function startHost(binary, packageFolder) {
  const pages = fileURLToPath(new URL("..", import.meta.url));
  const words = ["--package", packageFolder, "--pages", pages];
  // A handler of the application panics on purpose.
  const env = { ...process.env, RUST_BACKTRACE: "0" };
  const child = spawn(binary, words, { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit").then(() => {
    throw new Error(`${binary} ended before it said where it is`);
  });
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  ended.catch(() => {});
  const { control } = JSON.parse(line);
  return {
    control,
    async end() {
      child.stdin.end();
      const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      clearTimeout(late);
    },
  };
}
