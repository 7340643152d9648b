// What browsers download, made of its parts: node bundle.mjs PARTS PACKAGE
//
// Takes bowline.wasm and the modules beside it, writes bowline.wasm and one file for each entry.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";
import { orderFunctions } from "./order.mjs";
import { wasmOpt } from "./wasm-opt.mjs";

const [parts, target] = process.argv.slice(2);
const at = (name) => join(target, name);

/** Puts the modules of the folder `inline` in the place of those of the same name. */
const anywhere = {
  name: "anywhere",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/(instance|utf8)\.js$/ }, ({ path }) => ({
      path: resolve(parts, "inline", path),
    })),
};

const module = optimized(join(parts, "bowline.wasm"), at("bowline.wasm"));
writeFileSync(join(parts, "embedded.js"), embedded(module));

await bundle({ index: "index" });
const others = ["store", "topics", "streams", "namespaces", "diagnostics", "close-codes"];
const entries = Object.fromEntries(["inline", ...others].map((name) => [name, name]));
await bundle(entries, { plugins: [anywhere] });
// Whoever imports it has the engine already, in one form or the other.
await bundle({ shared: "shared" }, { external: ["./index.js"] });
writeFileSync(at("shared-inline.js"), read("shared.js").replace("./index.js", "./inline.js"));

// For require(), with the engine inside.
for (const name of ["inline", "shared", ...others]) {
  writeFileSync(at(`${name}.cjs`), required(read(`${name}.js`)));
}
// In Node whoever imports and whoever requires the package get the same classes.
writeFileSync(at("node.js"), `export { BowlineError, Client } from "./inline.cjs";\n`);
writeFileSync(at("shared-node.js"), `export { BowlineError, SharedClient } from "./shared.cjs";\n`);

function read(name) {
  return readFileSync(at(name), "utf8");
}

/** Writes one file for each entry: the name that it gets, and the module that it begins with. */
async function bundle(entries, more = {}) {
  const { outputFiles } = await build({
    entryPoints: Object.entries(entries).map(([out, name]) => ({
      out,
      in: join(parts, `${name}.js`),
    })),
    outdir: target,
    ...more,
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    mangleProps: /^_[^_]/,
    legalComments: "none",
    logLevel: "warning",
  });
  for (const { path, text } of outputFiles) {
    // A second opinion: it folds what the first leaves, some 4 percent.
    const { code } = await minify(text, { module: true, ecma: 2020, compress: { passes: 4 } });
    // Node prints the line in which an uncaught error was made, here the whole file, unless it
    // holds these words.
    writeFileSync(
      path,
      path.endsWith("index.js") ? code : "/*node-do-not-add-exception-line*/" + code,
    );
  }
}

/** A bundle as a CommonJS module. Node reads from its text what it exports. */
function required(text) {
  const imports = /import\{([^}]*)\}from"\.\/index\.js";/;
  const exports = /export\{([^}]*)\};?\s*$/;
  if (!exports.test(text)) throw new Error("a bundle does not end with what it exports");
  const pairs = (list) => list.split(",").map((pair) => pair.split(" as "));
  return `"use strict";${text
    .replace(
      imports,
      (_, list) =>
        `const{${pairs(list).map(([name, own = name]) => `${name}:${own}`)}}=require("./inline.cjs");`,
    )
    .replace(exports, (_, list) =>
      pairs(list)
        .map(([own, name = own]) => `exports.${name}=${own};`)
        .join(""),
    )}\n`;
}

/** Writes the module as small as it gets, and the code beside it that goes with it. */
function optimized(from, to) {
  const strip = ["debug", "producers", "target-features"].map((section) => `--strip-${section}`);
  // Nothing lies below address 1024 but the last of the stack. Alignment is a hint that no browser
  // uses.
  const facts = ["--low-memory-unused", "--dealign"];
  // A large function costs more where it is inlined, even if nobody else calls it: it brings its
  // variables.
  const inlining = ["--one-caller-inline-max-function-size", "40"];
  const passes = [
    ...inlining,
    "-Oz",
    "--flatten",
    "--local-cse",
    "--rereloop",
    "-Oz",
    "-Oz",
    "--converge",
  ];
  wasmOpt(...passes, ...facts, ...strip, from, "-o", to);
  // Names carry hashes, which do not compress, and stand in the module and in the code.
  shortenNames(JSON.parse(wasmOpt("--minify-imports-and-exports-and-modules", to, "-o", to)));
  orderFunctions(to, join(parts, "bowline.wat"));
  return readFileSync(to);
}

/** A function that yields the module. Deflated, because base64 spoils what compression finds. */
function embedded(module) {
  return `import { inflate } from "./inline/inflate.js";
const text = "${deflateRawSync(module, { level: 9 }).toString("base64")}";
export default () => inflate(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)), ${module.length});
`;
}

/**
 * Makes the code use the names that the module has now: lists of [from, old, new] and [old, new].
 */
function shortenNames({ imports, exports }) {
  const glue = join(parts, "bowline_bg.js");
  const short = new Map(exports);
  const shortened = (_, name) => {
    if (!short.has(name))
      throw new Error(`bowline_bg.js calls ${name}, which the module does not export`);
    return `wasm.${short.get(name)}`;
  };
  const text = withoutCaches(readFileSync(glue, "utf8"));
  writeFileSync(glue, text.replace(/\bwasm\.(\w+)/g, shortened));
  const lines = imports.map(
    ([from, old, name]) => `import { ${old} as ${name}_ } from "${from}";\n`,
  );
  const names = imports.map(([, , name]) => `${name}: ${name}_`);
  const start = short.has("__wbindgen_start") ? `exports.${short.get("__wbindgen_start")}();` : "";
  writeFileSync(
    join(parts, "bowline_wasm.js"),
    `import { __wbg_set_wasm } from "./bowline_bg.js";
${lines.join("")}
export const imports = { a: { ${names.join(", ")} } };
export const start = (exports) => { __wbg_set_wasm(exports); ${start} };
`,
  );
}

/** wasm-bindgen caches its views of the memory; the few texts that cross can make their own. */
function withoutCaches(glue) {
  const reader = /function (getArrayU(\d+)FromWasm0)\(ptr, len\) \{.*?\n\}/gs;
  if (!reader.test(glue)) throw new Error("bowline_bg.js reads the memory in another way");
  return glue.replace(reader, (_, name, bits) => {
    const view = `new Uint${bits}Array(wasm.memory.buffer, ptr >>> 0, len)`;
    return `function ${name}(ptr, len) { return ${view}; }`;
  });
}
