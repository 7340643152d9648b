// Binaryen's optimizer, held to what browsers can do. By itself: node wasm-opt.mjs WORDS...
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

/** Runs it and returns what it prints. */
export function wasmOpt(...words) {
  const binaryen = dirname(createRequire(import.meta.url).resolve("binaryen/package.json"));
  const features = ["--mvp-features", ...FEATURES.map((feature) => `--enable-${feature}`)];
  return execFileSync(process.execPath, [join(binaryen, "bin/wasm-opt"), ...features, ...words], { encoding: "utf8" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(wasmOpt(...process.argv.slice(2)));
}
