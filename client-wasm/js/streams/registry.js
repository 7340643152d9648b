// The open streams of one client, and the listeners for all of them.

export class Registry {
  #BowlineError;
  #open = new Map();
  /** Ends the listeners, which exist while there are streams. */
  #unlisten;

  constructor(client) {
    this.client = client;
    // The client's own class of errors, from a request that it refuses at once. This module cannot
    // import the class: it would bring another one along.
    client.request("no name").catch(({ constructor }) => (this.#BowlineError = constructor));
  }

  error(code, ...words) {
    const BowlineError = this.#BowlineError ?? Error;
    return new BowlineError(code, ...words);
  }

  add(stream) {
    this.#open.set(stream.number, stream);
    this.#unlisten ??= this.#listen();
  }

  remove({ number }) {
    if (!this.#open.delete(number) || this.#open.size) return;
    this.#unlisten();
    this.#unlisten = undefined;
  }

  #listen() {
    const { client } = this;
    const pass = (name, call) =>
      client.on("bowline." + name, (about, bytes) => {
        const stream = this.#open.get(about?.stream);
        if (stream) call(stream, about, bytes);
      });
    const unlisten = [
      pass("credit", (stream, { taken }) => stream.credit(taken)),
      pass("cancel", (stream) => stream.refused()),
      pass("end", (stream, about, bytes) => stream.ended(about, bytes)),
      client.onStatus((status) => {
        for (const stream of [...this.#open.values()]) stream.heed(status);
      }),
    ];
    return () => unlisten.forEach((end) => end());
  }
}
