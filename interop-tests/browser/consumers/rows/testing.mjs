/** Test runners, each with every environment that it has. */

const TEST = `
test("a conversation", async () => {
  const words = await converse(bowline, process.env.BOWLINE_URL);
  expect(words).toBe(EXPECTED);
});
`;

const IMPORTED = `
import * as bowline from "bowline-client";
import { converse, EXPECTED } from "./app/conversation.js";
`;

const vitest = [
  { version: "3.2.7", vite: "6.4.6", jsdom: "26.1.0", node: 22 },
  { version: "5.1.2", vite: "8.4.0", jsdom: "26.1.0", node: 24 },
].map(({ version, vite, jsdom, node }) => ({
  name: `Vitest ${version.split(".")[0]}`,
  tested: `${version}, jsdom ${jsdom}, happy-dom 20.14.6`,
  packages: { vitest: version, vite, jsdom, "happy-dom": "20.14.6" },
  async run(project) {
    await project.app("app");
    await project.write({
      "conversation.test.js": `import { expect, test } from "vitest";${IMPORTED}${TEST}`,
    });
    for (const environment of ["node", "jsdom", "happy-dom"]) {
      const words = ["run", "--environment", environment];
      await project.bin("vitest/vitest.mjs", words, {
        node,
        env: { BOWLINE_URL: project.bowline },
      });
    }
  },
}));

const jest = ["29.7.0", "30.5.2"].map((version) => ({
  name: `Jest ${version.split(".")[0]}`,
  tested: version,
  packages: {
    jest: version,
    "jest-environment-jsdom": version,
    "@babel/core": "7.28.5",
    "@babel/preset-env": "7.28.5",
    ...(version.startsWith("30") ? { "@happy-dom/jest-environment": "20.14.5" } : {}),
  },
  async run(project) {
    await project.app("app");
    const babel = { presets: [["@babel/preset-env", { targets: { node: "current" } }]] };
    const environments = [
      "node",
      "jsdom",
      ...(version.startsWith("30") ? ["@happy-dom/jest-environment"] : []),
    ];
    await project.write({
      "babel.config.json": JSON.stringify(babel),
      "jest.config.json": "{}",
      "conversation.test.js": IMPORTED + TEST,
    });
    const run = (words, options) =>
      project.bin("jest/bin/jest.js", ["--config", "jest.config.json", ...words], options);
    for (const environment of environments) {
      await run(["--env", environment], { node: 22, env: { BOWLINE_URL: project.bowline } });
    }
    // Modules as they are, without Babel.
    await project.write({
      "jest.config.json": JSON.stringify({ transform: {}, testMatch: ["**/*.test.mjs"] }),
      "app/package.json": '{ "type": "module" }',
      "conversation.test.mjs": IMPORTED + TEST,
    });
    const env = { BOWLINE_URL: project.bowline, NODE_OPTIONS: "--experimental-vm-modules" };
    for (const environment of environments) await run(["--env", environment], { node: 22, env });
  },
}));

export const testing = [...vitest, ...jest];
