/** Next.js: a client component that makes its client while it renders, on the server too. */

import assert from "node:assert/strict";

import { EXPECTED } from "../app/conversation.js";
import { hosted, look } from "../browse.mjs";

const FILES = {
  "app/layout.jsx": `
export const metadata = { title: "waiting", icons: "data:," };
export default ({ children }) => <html lang="en"><body>{children}</body></html>;
`,
  "app/page.jsx": `
"use client";
import { useEffect, useState } from "react";
import * as bowline from "bowline-client";
import { sessionStore } from "bowline-client/store";
import { converse } from "./conversation.js";

export default function Page() {
  const [client] = useState(() => new bowline.Client("/bowline", { store: sessionStore("page") }));
  useEffect(() => {
    converse(bowline, "/bowline").then(
      (words) => (document.title = words),
      (error) => (document.title = "failed: " + error),
    );
  }, []);
  return <p>state: {client.status.state}</p>;
}
`,
};

export const next = ["15.5.29", "16.4.6"].map((version) => ({
  name: `Next.js ${version.split(".")[0]}`,
  tested: version,
  packages: { next: version, react: "19.3.1", "react-dom": "19.3.1" },
  async run(project) {
    await project.app("app");
    await project.write(FILES);
    const env = { NEXT_TELEMETRY_DISABLED: "1" };
    await project.bin("next/dist/bin/next", ["build"], { env, deadline: 150_000 });
    const program = project.path("node_modules/next/dist/bin/next");
    const { match, end } = await project.serve(
      [program, "start", "--port", "0", "--hostname", "127.0.0.1"],
      /http:\/\/127\.0\.0\.1:\d+/,
      { env },
    );
    try {
      const html = await (await fetch(match[0])).text();
      assert.match(html.replaceAll("<!-- -->", ""), /state: idle/, "what the server has rendered");
      await hosted(
        project,
        "",
        (url) => look(project, url, { title: EXPECTED }),
        new URL(match[0]),
      );
    } finally {
      end();
    }
  },
}));
