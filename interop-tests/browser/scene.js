/** What a story happens in: a world, the module under test, and clients that use one transport. */
export class Scene {
  #clients = [];

  constructor(world, transport, module) {
    this.world = world;
    this.transport = transport;
    this.Client = module.Client;
    this.BowlineError = module.BowlineError;
    this.subscribe = module.subscribe;
    this.publish = module.publish;
    this.namespace = module.namespace;
    this.rejoin = module.rejoin;
    this.stream = module.stream;
    this.upload = module.upload;
    this.describe = module.describe;
    this.mount = `${world.url}bowline`;
  }

  /** A client that is not connected yet. */
  client(options = {}) {
    const client = new this.Client(this.mount, { transports: [this.transport], ...options });
    this.#clients.push(client);
    return client;
  }

  async connected(options) {
    const client = this.client(options);
    await client.connect();
    return client;
  }

  /** Every status from now on, to be awaited one after another. */
  statuses(client) {
    const queue = queued();
    client.onStatus(queue.push);
    return {
      async until(wanted) {
        for (;;) {
          const status = await queue.next();
          if (wanted(status)) return status;
        }
      },
    };
  }

  /** The numbers of the events `down` from now on: `take(n)` resolves with the next n. */
  downs(client) {
    const queue = queued();
    client.on("down", queue.push);
    return {
      async take(count) {
        const taken = [];
        while (taken.length < count) taken.push(await queue.next());
        return taken;
      },
    };
  }

  /** Does not wait: the network may be broken by now. */
  leave() {
    for (const client of this.#clients) client.close().catch(() => {});
  }
}

function queued() {
  const [values, waiting] = [[], []];
  return {
    push: (value) => (waiting.length > 0 ? waiting.shift()(value) : values.push(value)),
    next: () =>
      values.length > 0 ? values.shift() : new Promise((resolve) => waiting.push(resolve)),
  };
}
