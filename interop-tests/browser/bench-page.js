// One side of the comparison, in a page: bench.mjs calls these through `window.bench`.

const LARGE = 1_000_000;

/** What the page's modules have of WebAssembly memory, which no figure of the heap includes. */
const memories = [];
for (const name of ["instantiate", "instantiateStreaming"]) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...words) => {
    const result = await original(...words);
    const exported = Object.values(result.instance.exports);
    memories.push(...exported.filter((value) => value instanceof WebAssembly.Memory));
    return result;
  };
}

const sides = {
  async bowline() {
    const { Client } = await import("/package/index.js");
    let client;
    return {
      open(url, options) {
        client = new Client(url, options);
        client.connect();
      },
      on: (name, listener) => client.on(name, (payload, bytes) => listener(bytes ?? payload)),
      ask: (name, payload) =>
        payload instanceof Uint8Array
          ? client.request(name, undefined, { bytes: payload })
          : client.request(name, payload),
      close: () => client.close(),
    };
  },
  async "socket.io"() {
    const { io } = await import("/peer/socket.io.esm.min.js");
    let socket;
    return {
      open(url, options) {
        socket = io(url, { ...options, forceNew: true });
      },
      on(name, listener) {
        socket.on(name, listener);
        return () => socket.off(name, listener);
      },
      ask: (name, payload) => socket.emitWithAck(name, payload ?? null),
      close: () => socket.close(),
    };
  },
};

let side;

window.bench = {
  /** Milliseconds until the library can be used. */
  load: (name) =>
    timed(async () => {
      side = await sides[name]();
    }),

  /** Milliseconds from connecting to the server's first event. */
  connect: (url, options) =>
    timed(() => {
      side.open(url, options);
      return once("hello");
    }),

  flood: (count) =>
    timed(async () => {
      let left = count;
      const all = until((done) =>
        side.on("item", ([number, text]) => {
          if (count - number !== left || text.length !== 190)
            throw new Error(`${number} came, ${left} were left`);
          left -= 1;
          if (left === 0) done();
        }),
      );
      await Promise.all([side.ask("flood", count), all]);
    }),

  requests: (count, inFlight) =>
    timed(async () => {
      let next = 0;
      const asker = async () => {
        while (next < count) {
          const number = next++;
          if ((await side.ask("echo", number)) !== number)
            throw new Error(`${number} was answered with another`);
        }
      };
      await Promise.all(Array.from({ length: inFlight }, asker));
    }),

  /** Milliseconds for a megabyte: from the server and to it. */
  give: (kind) =>
    timed(async () => {
      const [value] = await Promise.all([once(kind), side.ask(`give-${kind}`)]);
      if ((value.byteLength ?? value.length) !== LARGE) throw new Error(`${kind} came short`);
    }),
  take: (kind) => {
    const value = kind === "text" ? "x".repeat(LARGE) : new Uint8Array(LARGE);
    return timed(async () => {
      if ((await side.ask(`take-${kind}`, value)) !== LARGE) throw new Error(`${kind} went short`);
    });
  },

  wasmBytes: () => memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0),
  close: () => side.close(),
};

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Resolves with the first event of the name. */
const once = (name) => until((done) => side.on(name, done));

/** Resolves with what the subscription is done with, and ends it. */
function until(subscribe) {
  return new Promise((resolve) => {
    const stop = subscribe((value) => {
      queueMicrotask(() => stop());
      resolve(value);
    });
  });
}
