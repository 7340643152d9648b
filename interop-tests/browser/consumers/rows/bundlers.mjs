/** Bundlers that write files: each of its ways of putting the application together. */

import { hosted, look } from "../browse.mjs";

const webpack = {
  name: "webpack 5",
  tested: "5.113.0",
  packages: { webpack: "5.113.0", "webpack-cli": "7.3.1" },
  async run(project) {
    await project.app("app");
    for (const mode of ["development", "production", "none"]) {
      await project.bin("webpack-cli/bin/cli.js", [
        "--mode",
        mode,
        "--entry",
        "./app/with-worker.js",
        "--output-path",
        project.path(mode),
        "--output-filename",
        "main.js",
      ]);
      await page(project, mode, { worker: true, what: mode });
    }
    await project.write({ "app/required.js": REQUIRED });
    await project.bin("webpack-cli/bin/cli.js", [
      "--mode",
      "production",
      "--entry",
      "./app/required.js",
      "--output-path",
      project.path("required"),
      "--output-filename",
      "main.js",
    ]);
    await page(project, "required", { what: "with require()" });
  },
};

const rspack = {
  name: "Rspack 1",
  tested: "1.7.12",
  packages: { "@rspack/core": "1.7.12", "@rspack/cli": "1.7.12" },
  async run(project) {
    await project.app("app");
    for (const mode of ["development", "production"]) {
      await project.bin("@rspack/cli/bin/rspack.js", [
        "build",
        "--mode",
        mode,
        "--entry",
        "./app/with-worker.js",
        "--output-path",
        project.path(mode),
      ]);
      await page(project, mode, { worker: true, what: mode });
    }
  },
};

const rollup = {
  name: "Rollup 4",
  tested: "4.68.8",
  packages: {
    rollup: "4.68.8",
    "@rollup/plugin-node-resolve": "16.0.3",
    "@web/rollup-plugin-import-meta-assets": "2.3.3",
  },
  async run(project) {
    await project.app("app");
    const { rollup } = await project.import("rollup");
    const { nodeResolve } = await project.import("@rollup/plugin-node-resolve");
    const { importMetaAssets } = await project.import("@web/rollup-plugin-import-meta-assets");
    const ways = {
      "plain, iife": [[nodeResolve()], { format: "iife" }],
      "plain, es": [[nodeResolve()], { format: "es" }],
      "for browsers, with the plugin for assets": [
        [nodeResolve({ browser: true }), importMetaAssets()],
        { format: "es" },
      ],
    };
    for (const [what, [plugins, output]] of Object.entries(ways)) {
      const bundle = await rollup({ input: project.path("app/main.js"), plugins });
      await bundle.write({ ...output, dir: project.path("dist") });
      await bundle.close();
      await page(project, "dist", { what, module: output.format === "es" });
    }
  },
};

const parcel = {
  name: "Parcel 2",
  tested: "2.16.4",
  packages: { parcel: "2.16.4" },
  async run(project) {
    await project.app("app");
    const words = [
      "build",
      "app/index.html",
      "--dist-dir",
      "dist",
      "--public-url",
      "./",
      "--no-cache",
      "--cache-dir",
      ".cache",
    ];
    await project.bin("parcel/lib/bin.js", words);
    await hosted(project, project.path("dist"), (url) =>
      look(project, `${url}index.html`, { worker: true }),
    );
  },
};

const esbuild = {
  name: "esbuild",
  tested: "0.28.2",
  packages: { esbuild: "0.28.2" },
  async run(project) {
    await project.app("app");
    await project.write({ "app/node.js": NODE });
    const { build } = await project.import("esbuild");
    const common = { bundle: true, logLevel: "error", outfile: project.path("dist/main.js") };
    for (const format of ["esm", "iife"]) {
      await build({ ...common, format, entryPoints: [project.path("app/main.js")] });
      await page(project, "dist", { what: format, module: format === "esm" });
    }
    for (const platform of ["browser", "node"]) {
      const outfile = project.path(`dist/${platform}.cjs`);
      await build({
        ...common,
        outfile,
        format: "cjs",
        platform,
        entryPoints: [project.path("app/node.js")],
      });
      await project.run(process.execPath, [outfile], { env: { BOWLINE_URL: project.bowline } });
    }
  },
};

export const bundlers = [webpack, rspack, rollup, parcel, esbuild];

/** Opens what was built into a folder, with one script called `main.js`. */
async function page(project, folder, { module = false, ...options }) {
  const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>waiting</title>
<script ${module ? 'type="module"' : "defer"} src="./main.js"></script>`;
  await project.write({ [`${folder}/index.html`]: html });
  await hosted(project, project.path(folder), (url) => look(project, `${url}index.html`, options));
}

const REQUIRED = `
const bowline = require("bowline-client");
const { SharedClient } = require("bowline-client/shared");
const { CloseCode } = require("bowline-client/close-codes");
const { converse } = require("./conversation.js");
const all = async () => [
  await converse(bowline, "/bowline"),
  await converse({ ...bowline, Client: SharedClient }, "/bowline"),
  CloseCode.NORMAL,
];
all().then((words) => (document.title = words.join(", ")), (error) => (document.title = "failed: " + error));
`;

const NODE = `
import * as bowline from "bowline-client";
import { EXPECTED, converse } from "./conversation.js";
converse(bowline, process.env.BOWLINE_URL).then(
  (words) => process.exit(words === EXPECTED ? 0 : (console.log(words), 1)),
  (error) => (console.log(error), process.exit(1)),
);
`;
