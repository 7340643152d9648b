// How much of a stream this end may send before the server has taken it.
//
// Spec: 12-streams, "Windows".

export class SendWindow {
  #window;
  /** The sizes of what was sent and not taken, oldest first. */
  #outstanding = [];
  #bytes = 0;
  #taken = 0;

  constructor(window) {
    this.#window = window;
  }

  /** The size of the largest item. */
  get largest() {
    return Math.floor(this.#window.bytes / 2);
  }

  /** True if an item of this size, which is not too large, may be sent now. */
  fits(size) {
    const { items, bytes } = this.#window;
    return this.#outstanding.length < items && this.#bytes + size <= bytes;
  }

  sent(size) {
    this.#outstanding.push(size);
    this.#bytes += size;
  }

  /** The server has taken so many items since the stream was opened. */
  taken(taken) {
    if (taken <= this.#taken || taken > this.#taken + this.#outstanding.length) return;
    for (const size of this.#outstanding.splice(0, taken - this.#taken)) this.#bytes -= size;
    this.#taken = taken;
  }
}
