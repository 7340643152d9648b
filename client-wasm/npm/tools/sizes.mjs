// What a browser downloads: node sizes.mjs [--json | --check]
//
// Prints it beside what other libraries ship for browsers, or compares it with ../budget.json.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const ROOT = new URL("../../../", import.meta.url);
const OURS = "target/npm/bowline-client/";
const PEERS = "interop-tests/browser/node_modules/";
const BUDGET = new URL("../budget.json", import.meta.url);

const sizes = {
  "bowline.wasm": size(OURS + "bowline.wasm"),
  "index.js": size(OURS + "index.js"),
  together: size(OURS + "bowline.wasm", OURS + "index.js"),
  "inline.js (instead)": size(OURS + "inline.js"),
};

if (process.argv[2] === "--check") {
  check();
} else {
  for (const file of ["socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"]) {
    sizes[file] = size(`${PEERS}socket.io-client/dist/${file}`);
  }
  sizes["signalr.min.js"] = size(PEERS + "@microsoft/signalr/dist/browser/signalr.min.js");
  sizes["centrifuge.js"] = size(PEERS + "centrifuge/dist/centrifuge.js");
  process.argv[2] === "--json" ? console.log(JSON.stringify(sizes, null, 2)) : table();
}

/** The sum for these files, each compressed by itself. */
function size(...paths) {
  const sum = { raw: 0, gzip: 0, brotli: 0 };
  for (const bytes of paths.map((path) => readFileSync(new URL(path, ROOT)))) {
    sum.raw += bytes.length;
    sum.gzip += gzipSync(bytes, { level: 9 }).length;
    sum.brotli += brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
    }).length;
  }
  return sum;
}

function table() {
  const row = (...cells) =>
    console.log(cells[0].padEnd(26), ...cells.slice(1).map((cell) => String(cell).padStart(9)));
  row("bytes", "raw", "gzip -9", "brotli 11");
  for (const [name, { raw, gzip, brotli }] of Object.entries(sizes)) row(name, raw, gzip, brotli);
}

/** Fails when something has grown beyond its budget, in bytes after brotli. */
function check() {
  const budget = JSON.parse(readFileSync(BUDGET, "utf8"));
  const grown = Object.keys(budget).filter((name) => sizes[name].brotli > budget[name]);
  for (const [name, limit] of Object.entries(budget)) {
    console.log(`${name}: ${sizes[name].brotli} of ${limit} bytes`);
  }
  if (grown.length === 0) return;
  // A little room, so that not every change of the compiler is a change of the budget.
  const renewed = Object.keys(budget).map((name) => [
    name,
    Math.ceil((sizes[name].brotli * 1.01) / 100) * 100,
  ]);
  console.error(
    `${grown.join(", ")}: larger than the budget. cargo xtask size --functions shows what it consists of.`,
  );
  console.error(
    `If it is worth it, put this into client-wasm/npm/budget.json:\n${JSON.stringify(Object.fromEntries(renewed), null, 2)}`,
  );
  process.exit(1);
}
