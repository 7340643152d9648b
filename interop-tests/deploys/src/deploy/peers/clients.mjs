// What the clients of a library have in common: they talk until they are told to stop, and say what
// they know. The same as interop-tests/deploys/src/deploy/clients.rs.
import { orders, say, wallClock } from "../../jitter/peers/tally.mjs";

/**
 * `connect({ url, number, transport, heard, lost })` makes a client and returns a promise for `{
 * emit, request, transport }`. `heard(tick)` is called with each broadcast and `lost()` when the
 * client learns that it has missed something. `emit(name, number)` may throw; `request(name,
 * number)` returns a promise for the answer.
 */
export function run(connect) {
  orders.once("line", async (line) => {
    const work = JSON.parse(line);
    const clients = [];
    for (let from = work.clients.start; from < work.clients.end; from += CONNECTING) {
      const end = Math.min(from + CONNECTING, work.clients.end);
      const some = Array.from({ length: end - from }, (_, at) => open(connect, work, from + at));
      clients.push(...(await Promise.all(some)));
    }
    say("connected");
    const talks = clients.map((client) => client.talk(work));
    orders.once("line", async () => {
      clients.forEach((client) => client.stop());
      await Promise.race([Promise.all(talks), sleep(SETTLING)]);
      say("settled");
      orders.once("line", () => {
        for (const client of clients) say("book", client.book());
        say("counted");
      });
    });
  });
}

async function open(connect, { url, transport }, number) {
  const asked = () => ({ sent: [], ended: [] });
  const book = { client: number, events: [], requests: asked(), waits: asked(), ticks: [], lost: [] };
  let noted = 0;
  const client = await connect({
    url,
    number,
    transport: only(transport, number),
    // One thing happens after another here: each has a turn of its own.
    heard: (tick) => book.ticks.push([tick, wallClock(), (noted += 1)]),
    lost: () => book.lost.push({ at: wallClock(), place: (noted += 1), turn: noted }),
  });
  const began = client.transport();
  let stopped = false;

  const ask = async (name, flow) => {
    const asked = flow.sent.length + 1;
    const answer = client.request(name, asked);
    flow.sent.push((noted += 1));
    const isRight = await answer.then((value) => value === asked * 2, () => false);
    flow.ended.push([asked, wallClock(), isRight]);
  };
  const speak = async () => {
    await sleep(((number * 0.618) % 1) * EVERY);
    const open = [];
    for (; !stopped; await sleep(EVERY)) {
      client.emit("event", book.events.length + 1);
      book.events.push((noted += 1));
      open.push(ask("ask", book.requests));
    }
    await Promise.all(open);
  };
  const wait = async () => {
    while (!stopped) await ask("wait", book.waits);
  };
  return {
    talk: ({ handlers }) => Promise.all([speak(), handlers && wait()]),
    stop: () => (stopped = true),
    book: () => ({ ...book, noted, moved: client.transport() !== began }),
  };
}

/** The transport that is allowed, if not all are. */
function only(transport, number) {
  const mixed = [undefined, "sse", "polling"][number % 3];
  return { websocket: undefined, sse: "sse", polling: "polling", mixed }[transport];
}

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

/** Milliseconds between two messages of a client. */
const EVERY = 1000;
/** Clients that connect at the same time. */
const CONNECTING = 100;
/** Milliseconds that an answer may take: longer than any deploy. */
export const ANSWER = 60_000;
/** Milliseconds that the last answers may take. */
const SETTLING = 20_000;
