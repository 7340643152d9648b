// Binaryen's tools, limited to the features of the supported browsers. By itself: node wasm-opt.mjs
// WORDS...
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the module may use: all of it is in Chrome 96, Firefox 79, Safari 15, Node 18 and newer. */
const FEATURES = [
  "bulk-memory",
  "bulk-memory-opt",
  "mutable-globals",
  "multivalue",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
];

/** Runs the optimizer and returns its output. */
export const wasmOpt = (...words) => tool("wasm-opt", ...words);

/** Runs one of the tools and returns its output. */
export function tool(name, ...words) {
  const binaryen = dirname(createRequire(import.meta.url).resolve("binaryen/package.json"));
  const features = ["--mvp-features", ...FEATURES.map((feature) => `--enable-${feature}`)];
  return execFileSync(process.execPath, [join(binaryen, "bin", name), ...features, ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(wasmOpt(...process.argv.slice(2)));
}
