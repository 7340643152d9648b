/**
 * A server behind a bad network, as `browser_host` in Rust offers it. Runs in pages and in Node.
 */

export class World {
  #address;

  constructor(address, url) {
    this.#address = address;
    /** The origin, which serves pages and package, with its final slash. */
    this.url = url;
  }

  static async create(control, settings = {}) {
    const { id, url } = await post(`${control}/worlds`, settings);
    return new World(`${control}/worlds/${id}`, url);
  }

  /** What `World.revive` makes the same world from, on another page or process. */
  get seed() {
    return { address: this.#address, url: this.url };
  }

  static revive({ address, url }) {
    return new World(address, url);
  }

  end() {
    return post(`${this.#address}/end`);
  }

  /** Does what `Deed` in Rust lists. */
  do(deed, details = {}) {
    return post(`${this.#address}/do`, { deed, ...details });
  }

  cut(finish = false) {
    return this.do("cut", { finish });
  }

  /** In which versions of HTTP a path was requested, such as `["HTTP/2.0"]`. */
  versions(path) {
    return post(`${this.#address}/versions`, { path });
  }

  /** The proxy's counters, once none is less than its bound (`open`: not more). */
  counters(bounds) {
    return post(`${this.#address}/counters`, bounds);
  }

  /** Has the server emit the events `down` with these numbers. */
  emitDown(session, from, through) {
    return post(`${this.#address}/emit`, { session, from, through });
  }

  /** All that has reached the server's application, once it is as wanted. */
  async journal(wanted = () => true) {
    let entries = await post(`${this.#address}/journal`);
    while (!wanted(entries)) {
      entries = await post(`${this.#address}/journal`, { after: entries.length });
    }
    return entries;
  }

  /** The numbers that came up from a session, once there are so many. */
  async numbers(session, count = 0) {
    const of = (entries) =>
      entries.filter((entry) => entry.kind === "up" && entry.session === session);
    const entries = await this.journal((entries) => of(entries).length >= count);
    return of(entries).map((entry) => entry.number);
  }
}

/** Plain text, so that no preflight is needed from a page of another origin. */
async function post(url, body = {}) {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} ${JSON.stringify(body)}: ${answer.status} ${text}`);
  return JSON.parse(text);
}
