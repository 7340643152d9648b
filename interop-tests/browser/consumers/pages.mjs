/** The TypeScript of the pages in docs, as modules that can be compiled. */

import { readFile, readdir } from "node:fs/promises";

const docs = new URL("../../../docs/", import.meta.url);

/** Each block of a page as a file: its name, and its text behind what pages leave out. */
export async function modules() {
  const files = {};
  for (const page of (await readdir(docs)).filter((name) => name.endsWith(".md"))) {
    const text = await readFile(new URL(page, docs), "utf8");
    const blocks = [...text.matchAll(/^```ts\n([^]*?)^```/gm)];
    blocks.forEach(([, code], at) => (files[`${page.slice(0, -3)}-${at + 1}.ts`] = module(code)));
  }
  if (Object.keys(files).length === 0) throw new Error("no page has TypeScript any more");
  return files;
}

function module(code) {
  const imports = code.includes("import ") ? "" : 'import { Client } from "bowline-client";\n';
  return `${imports}${LEFT_OUT.filter((line) => code.includes(nameIn(line))).join("\n")}\n${code}`;
}

const nameIn = (line) => /function (\w+)/.exec(line)[1];

/** What an application has of its own. */
const LEFT_OUT = [
  "declare function fetchToken(): Promise<string>;",
  "declare function show(...what: unknown[]): void;",
  "declare function showOnline(): void;",
];
