/** A page and a server that number what they say to each other. */

import { Broken, equal, through } from "../expect.js";
import { closePage, openPage } from "../runner/pages.mjs";
import { within } from "../runner/report.mjs";
import { World } from "../world.js";

export class Conversation {
  #up = 0;
  #down = 0;

  constructor(page, world) {
    this.page = page;
    this.world = world;
  }

  /** A page of a new world, and the end of both when the test is over. */
  static async with(browser, control, settings, tell) {
    const world = await World.create(control, settings);
    const page = await openPage(browser);
    const talk = new Conversation(page, world);
    try {
      await within(DEADLINE, tell(talk));
    } catch (error) {
      throw await talk.#explained(error);
    } finally {
      await closePage(page).catch(() => {});
      await world.end();
    }
  }

  /** The error, and how far both sides had come. */
  async #explained(error) {
    const look = () => this.page.evaluate(() => window.test?.situation());
    const page = await within(2_000, look()).catch((failure) => `${failure}`);
    const server = await within(2_000, this.world.numbers(this.session)).catch(
      (failure) => `${failure}`,
    );
    const said = `said ${this.#up} up and ${this.#down} down; the server has ${server.length} numbers`;
    const words = error instanceof Broken ? error.message : `${error?.stack ?? error}`;
    return new Broken(`${words}\n${said}; the page: ${JSON.stringify(page)}`);
  }

  /** Loads the page and connects. `policy` is a content security policy. */
  async open(options = {}, policy) {
    const query = policy ? `?csp=${encodeURIComponent(policy)}` : "";
    const hash = encodeURIComponent(JSON.stringify(options));
    this.address = `${this.world.url}pages/page.html${query}#${hash}`;
    await this.page.goto(this.address);
    await this.connected();
    this.session = (await this.facts()).sessionId;
  }

  /** The page may have been loaded anew. */
  connected() {
    return this.page.evaluate(async () => {
      await window.ready;
      await window.test.client.connect();
    });
  }

  facts() {
    return this.page.evaluate(() => window.test.facts());
  }

  state(wanted) {
    return this.page.evaluate((wanted) => window.test.state(wanted), wanted);
  }

  transport(wanted) {
    return this.page.evaluate((wanted) => window.test.transport(wanted), wanted);
  }

  async sayUp(count) {
    this.#up = await this.page.evaluate((count) => window.test.sayUp(count), count);
  }

  /** For what the page says by itself, or before it is left. */
  expectUp(count) {
    this.#up += count;
  }

  async sayDown(count) {
    await this.world.emitDown(this.session, this.#down + 1, this.#down + count);
    this.#down += count;
  }

  async talk(count = 20) {
    await Promise.all([this.sayUp(count), this.sayDown(count)]);
  }

  /** Everything said so far has arrived once and in order, in the session that it began with. */
  async nothingIsLost() {
    const { sessionId, stats } = await this.facts();
    equal([sessionId, stats.sessionsLost], [this.session, 0], "the session");
    const downs = await this.page.evaluate((count) => window.test.downs(count), this.#down);
    equal(downs, through(this.#down), "what the page received");
    equal(
      await this.world.numbers(this.session, this.#up),
      through(this.#up),
      "what the server received",
    );
    equal((await this.facts()).sessionId, this.session, "the session");
  }

  /** Both ways, and a look at who is there. */
  async goesOn() {
    await this.talk();
    await this.nothingIsLost();
    const ends = (await this.world.journal()).filter(({ kind }) => kind === "disconnected");
    equal(ends, [], "sessions that ended");
  }
}

const DEADLINE = 45_000;
