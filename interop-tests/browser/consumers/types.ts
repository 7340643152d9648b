// What the declarations must allow and must not: checked by tsc, never run.
import { BowlineError, Client, type Received, type Status } from "bowline-client";
import { Client as InlineClient } from "bowline-client/inline";
import { SharedClient } from "bowline-client/shared";
import { sessionStore } from "bowline-client/store";
import { CloseCode } from "bowline-client/close-codes";
import { describe } from "bowline-client/diagnostics";
import { stream, upload } from "bowline-client/streams";
import { type Missed, publish, subscribe } from "bowline-client/topics";

interface Chat {
  receives: { message: { from: string; text: string }; image: undefined };
  sends: { message: { text: string }; leave: undefined };
  requests: { history: (query: { before: number }) => string[]; count: () => number };
  handles: { confirm: (question: { text: string }) => boolean };
}

const client = new Client<Chat>("/bowline", {
  auth: async () => ({ token: "t" }),
  transports: ["sse", "polling"],
});
const careful = new Client<Chat>("/bowline", {
  connectDeadline: 5_000,
  connectTimeout: 2_000,
  trialInterval: 30_000,
  requestTimeout: Infinity,
  outboxLimit: 1 << 20,
  setupTimeout: 1_000,
  onSessionLost: "stop",
  headers: async () => ({ cookie: "id=7" }),
  store: sessionStore("chat"),
  onSession: async (setup) => {
    setup.emit("login", "me");
    exactly<any>()(await setup.request("login", { token: "t" }, { timeout: 100 }));
    // @ts-expect-error: it only sends
    setup.close();
  },
});
const loose = new InlineClient(new URL("https://example.org/bowline"));
const shared: Client<Chat> = new SharedClient<Chat>("/bowline", { transports: ["sse"] });
const { signal } = new AbortController();
const bytes = new Uint8Array(1);

/** The argument must be of the type, neither wider nor narrower. */
function exactly<T>() {
  return <U>(
    _value: U,
    ..._same: [T] extends [U] ? ([U] extends [T] ? [] : [never]) : [never]
  ) => {};
}

interface Ticket {
  said: string;
  closed: { by: string };
}

async function topics() {
  const ticket = await subscribe<Ticket>(client, "ticket/7", { since: { last: 20 }, signal });
  await subscribe(client, "ticket/7", { grant: async () => "signed" });
  exactly<boolean>()(ticket.mayPublish);
  exactly<string | undefined>()(ticket.code);
  for await (const item of ticket) {
    if (item.missing) exactly<Missed>()(item);
    else if (item.name == "said") exactly<string>()(item.payload);
    else exactly<{ by: string }>()(item.payload);
  }
  exactly<number | undefined>()(
    (await publish(shared, "ticket/7", "said", "hi", { bytes }))?.offset,
  );
  // @ts-expect-error: no such option
  await subscribe(client, "ticket/7", { from: 3 });
}

async function streams() {
  const words = stream<string, { used: number }>(client, "answer", "why?", { signal });
  for await (const word of words) exactly<string>()(word);
  exactly<number>()((await words.result).used);
  words.close();
  const sent = stream<number>(shared, "double", null, { send: [1, 2], window: { items: 9 } });
  for await (const number of sent) exactly<number>()(number);
  const onProgress = ({ sent, total }: { sent: number; total: number | undefined }) => sent;
  exactly<string>()(await upload<string>(client, "attach", new Blob(), { onProgress, bytes }));
  // @ts-expect-error: no such option
  stream(client, "answer", "why?", { credit: 3 });
}

async function allowed() {
  exactly<string>()(describe(client.diagnostics()));
  exactly<Promise<void>>()(client.connect());
  client.emit("message", { text: "hello" }, bytes);
  client.emit("leave");
  exactly<boolean>()(client.emitVolatile("message", { text: "hello" }));
  exactly<string[]>()(
    await client.request("history", { before: 3 }, { timeout: 100, signal, bytes }),
  );
  exactly<number>()(await client.request("count"));
  const stop = client.on(
    "message",
    (payload, more) => {
      exactly<string>()(payload.from);
      exactly<Uint8Array | undefined>()(more);
    },
    { signal, once: true },
  );
  stop();
  exactly<{ from: string; text: string }>()(await client.once("message"));
  for await (const event of client.events("message", { signal })) {
    exactly<Received<{ from: string; text: string }>>()(event);
  }
  client.handle("confirm", ({ text }) => text.length > 3);
  client.handle("confirm", async ({ text }) => {
    if (text === "") throw new BowlineError("empty", "say something", { text });
    return true;
  });
  client.onStatus((status) => exactly<Status>()(status));
  if (client.status.state === "waiting") exactly<number>()(client.status.retryIn);
  client.switchTransport("websocket");
  exactly<number>()(await client.ping());
  exactly<number | undefined>()(client.rtt);
  await client.close();
}

async function everythingWithoutContract() {
  loose.emit("anything", [1, 2, { three: 3 }]);
  loose.on("anything", (payload) => payload.whatever);
  exactly<any>()(await loose.request("anything"));
  loose.handle("anything", (payload) => payload);
}

function codes(error: unknown) {
  if (!(error instanceof BowlineError)) return;
  exactly<boolean>()(error.retryable);
  exactly<boolean | undefined>()(error.sent);
  if (error.closeCode === CloseCode.SESSION_EXPIRED) exactly<4100>()(CloseCode.SESSION_EXPIRED);
  const code: CloseCode = 4000;
  exactly<CloseCode>()(code as CloseCode);
}

async function refused() {
  // @ts-expect-error: no such event
  client.emit("mesage", { text: "hello" });
  // @ts-expect-error: the payload lacks its text
  client.emit("message", {});
  // @ts-expect-error: the server sends it, the client does not
  client.emit("image");
  // @ts-expect-error: bytes are bytes
  client.emit("message", { text: "hello" }, "bytes");
  // @ts-expect-error: no such request
  client.request("histroy", { before: 3 });
  // @ts-expect-error: a number is asked for
  client.request("history", { before: "3" });
  // @ts-expect-error: the reply is a list
  const reply: string = await client.request("history", { before: 3 });
  // @ts-expect-error: the payload has no such field
  client.on("message", (payload) => payload.body);
  // @ts-expect-error: the client sends it, the server does not
  client.on("leave", () => {});
  // @ts-expect-error: the answer must be a truth value
  client.handle("confirm", () => "yes");
  // @ts-expect-error: no such transport
  client.switchTransport("webtransport");
  // @ts-expect-error: no such option
  new Client("/bowline", { reconnect: true });
  // @ts-expect-error: neither reopen nor stop
  new Client("/bowline", { onSessionLost: "stopp" });
  // @ts-expect-error: headers are text
  new Client("/bowline", { headers: { authorization: 7 } });
  // @ts-expect-error: a store is made by sessionStore
  new Client("/bowline", { store: sessionStorage });
  // @ts-expect-error: the time is a number of milliseconds
  new SharedClient("/bowline", { connectDeadline: "5s" });
  // @ts-expect-error: a contract says all four
  new Client<{ receives: {} }>("/bowline");
  // @ts-expect-error: only while waiting
  client.status.retryIn;
  // @ts-expect-error: read only
  client.transport = "sse";
  // @ts-expect-error: no such code
  CloseCode.SESSION_LOST;
  // @ts-expect-error: not a code of the protocol
  const code: CloseCode = 4999;
}
