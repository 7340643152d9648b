/** The declarations, for everybody who imports or requires. */

import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { modules } from "../pages.mjs";

const here = dirname(dirname(fileURLToPath(import.meta.url)));

export const types = [
  {
    name: "TypeScript 5 and 7",
    tested: "5.9.3, 7.0.2",
    packages: {
      typescript: "5.9.3",
      "typescript-7": "npm:typescript@7.0.2",
      "@arethetypeswrong/cli": "0.18.5",
    },
    async run(project) {
      for (const file of ["types.ts", "tsconfig.json"])
        await cp(join(here, file), project.path("types", file));
      await project.write({ "required.cts": REQUIRED });
      for (const compiler of ["typescript", "typescript-7"]) {
        await project.bin(`${compiler}/bin/tsc`, ["--project", "types"]);
        for (const [module, resolution] of [
          ["nodenext", "nodenext"],
          ["esnext", "bundler"],
          ["commonjs", "node10"],
        ]) {
          if (compiler === "typescript-7" && resolution === "node10") continue;
          const flags = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"];
          const entry = module === "esnext" ? "types/types.ts" : "required.cts";
          await project.bin(`${compiler}/bin/tsc`, [
            ...flags,
            "--module",
            module,
            "--moduleResolution",
            resolution,
            entry,
          ]);
        }
      }
      const pages = Object.entries(await modules()).map(([name, text]) => [`pages/${name}`, text]);
      await project.write(Object.fromEntries(pages));
      const flags = [
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
        "--module",
        "esnext",
      ];
      const resolved = ["--moduleResolution", "bundler"];
      await project.bin("typescript/bin/tsc", [
        ...flags,
        ...resolved,
        ...pages.map(([name]) => name),
      ]);
      // What is older than exports is seen to above.
      const words = [
        project.tarball,
        "--profile",
        "node16",
        "--exclude-entrypoints",
        "bowline.wasm",
        "--format",
        "ascii",
      ];
      await project.bin("@arethetypeswrong/cli/dist/index.js", words);
    },
  },
];

const REQUIRED = `
import bowline = require("bowline-client");
import { sessionStore } from "bowline-client/store";
import { CloseCode } from "bowline-client/close-codes";

const client: bowline.Client = new bowline.Client("/bowline", { store: sessionStore() });
const normal: 1000 = CloseCode.NORMAL;
client.emit("done", normal);
`;
