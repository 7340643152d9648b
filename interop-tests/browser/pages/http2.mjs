/** Pages of a server that speaks HTTP/2: of its own origin, which is in `:authority` there. */

import { equal } from "../expect.js";
import { Conversation } from "./conversation.mjs";

const transports = ["websocket", "sse", "polling"];

/** WebSockets stay on HTTP/1.1. */
async function spokenAsTold({ world }, used) {
  const paths = { websocket: ["ws"], sse: ["sse", "post"], polling: ["poll", "post"] };
  for (const transport of used) {
    const expected = transport === "websocket" ? "HTTP/1.1" : "HTTP/2.0";
    for (const path of paths[transport])
      equal(await world.versions(`/bowline/${path}`), [expected], path);
  }
}

const perTransport = transports.map((transport) => ({
  name: `a page talks to a server with HTTP/2, over ${transport}`,
  async tell(talk) {
    await talk.open({ transports: [transport] });
    await talk.goesOn();
    await talk.world.cut();
    await talk.goesOn();
    await spokenAsTold(talk, [transport]);
  },
}));

const changing = {
  name: "a running session changes transports at a server with HTTP/2",
  async tell(talk) {
    await talk.open();
    for (const transport of ["sse", "polling", "websocket", "polling", "sse"]) {
      await talk.page.evaluate(
        (transport) => window.test.client.switchTransport(transport),
        transport,
      );
      await Promise.all([talk.transport(transport), talk.talk()]);
      await talk.goesOn();
    }
    await spokenAsTold(talk, transports);
  },
};

const falling = {
  name: "a page without WebSocket falls to SSE at a server with HTTP/2",
  async tell(talk) {
    await talk.page.evaluateOnNewDocument(() => delete window.WebSocket);
    await talk.open();
    equal((await talk.facts()).transport, "sse");
    await talk.goesOn();
    await spokenAsTold(talk, ["sse"]);
  },
};

/** For the table of tests. */
export function http2Tests(browser, control) {
  return [...perTransport, changing, falling].map(({ name, tell }) => ({
    name,
    run: () => Conversation.with(browser, control, { http2: true }, tell),
  }));
}
