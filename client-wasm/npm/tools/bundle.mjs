// What browsers download, made of its parts: node bundle.mjs PARTS PACKAGE
//
// Takes bowline.wasm and the modules beside it, writes bowline.wasm and one file for each entry.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";
import { wasmOpt } from "./wasm-opt.mjs";

const [parts, target] = process.argv.slice(2);

const module = optimized(join(parts, "bowline.wasm"), join(target, "bowline.wasm"));
writeFileSync(join(parts, "bowline_inline.js"), inline(module));

await bundle(["index", "inline", "store", "close-codes"]);
// Whoever imports it has the engine already, in one form or the other.
await bundle(["shared"], ["./index.js"]);
const shared = readFileSync(join(target, "shared.js"), "utf8");
writeFileSync(join(target, "shared-inline.js"), shared.replace("./index.js", "./inline.js"));

async function bundle(entries, external = []) {
  const { outputFiles } = await build({
    entryPoints: entries.map((entry) => join(parts, `${entry}.js`)),
    outdir: target,
    external,
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
    writeFileSync(path, code);
  }
}

/** Writes the module as small as it gets, and the code beside it that goes with it. */
function optimized(from, to) {
  const strip = ["debug", "producers", "target-features"].map((section) => `--strip-${section}`);
  // Nothing lies below address 1024 but the last of the stack. Alignment is a hint that no browser uses.
  const facts = ["--low-memory-unused", "--dealign"];
  // A large function costs more where it is inlined, even if nobody else calls it: it brings its variables.
  const inlining = ["--one-caller-inline-max-function-size", "40"];
  const passes = [...inlining, "--flatten", "--local-cse", "--rereloop", "-Oz", "-Oz", "--converge"];
  wasmOpt(...passes, ...facts, ...strip, from, "-o", to);
  // Names carry hashes, which do not compress, and stand in the module and in the code.
  shortenNames(JSON.parse(wasmOpt("--minify-imports-and-exports-and-modules", to, "-o", to)));
  return readFileSync(to);
}

/** A function that yields the module. Deflated first, because base64 spoils what compression finds. */
function inline(module) {
  return `const text = "${deflateRawSync(module, { level: 9 }).toString("base64")}";
export default () => {
  const deflated = new Blob([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))]);
  return new Response(deflated.stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
};
`;
}

/** Makes the code use the names that the module has now: lists of [from, old, new] and [old, new]. */
function shortenNames({ imports, exports }) {
  const glue = join(parts, "bowline_bg.js");
  const short = new Map(exports);
  const shortened = (_, name) => {
    if (!short.has(name)) throw new Error(`bowline_bg.js calls ${name}, which the module does not export`);
    return `wasm.${short.get(name)}`;
  };
  writeFileSync(glue, readFileSync(glue, "utf8").replace(/\bwasm\.(\w+)/g, shortened));
  const lines = imports.map(([from, old, name]) => `import { ${old} as ${name}_ } from "${from}";\n`);
  const names = imports.map(([, , name]) => `${name}: ${name}_`);
  const start = short.has("__wbindgen_start") ? `exports.${short.get("__wbindgen_start")}();` : "";
  writeFileSync(join(parts, "bowline_wasm.js"), `import { __wbg_set_wasm } from "./bowline_bg.js";
${lines.join("")}
export const imports = { a: { ${names.join(", ")} } };
export const start = (exports) => { __wbg_set_wasm(exports); ${start} };
`);
}
