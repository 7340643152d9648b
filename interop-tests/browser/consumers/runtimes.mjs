/** Node in several versions, Bun and Deno, as npm has them for this machine. */

import { join } from "node:path";

export const NODE = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" };
export const BUN = "1.4.5";
export const DENO = "2.9.6";

const { platform, arch } = process;
const bun = `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}`;
const deno = `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`;

const aliases = Object.entries(NODE).map(([major, version]) => [
  `node-${major}`,
  `npm:node-${platform}-${arch}@${version}`,
]);

export const packages = { ...Object.fromEntries(aliases), [bun]: BUN, [deno]: DENO };

/** Where their programs are, in a project that has them. */
export function runtimes(folder) {
  const at = (...names) => join(folder, "node_modules", ...names);
  return {
    node: (major) => at(`node-${major}`, "bin/node"),
    bun: () => at(bun, "bin/bun"),
    deno: () => at(deno, "deno"),
  };
}
