import { Conversation } from "./conversation.mjs";

/** Each test over each transport. */
export function perTransport(tests, settings, browser, control) {
  return Object.entries(tests).flatMap(([name, tell]) =>
    ["websocket", "sse", "polling"].map((transport) => ({
      name: `${name}, over ${transport}`,
      run: () =>
        Conversation.with(browser, control, settings, (talk) =>
          tell(talk, { transports: [transport] }),
        ),
    })),
  );
}
