// Events that have arrived, until an iterator reads them.

/** Ends the subscription of an iterator that was garbage-collected. */
const forgotten = new FinalizationRegistry((end) => end());

export class Queue {
  #values = [];
  /** Calls of `next` that wait. */
  #asked = [];
  #ended;

  push(value) {
    const resolve = this.#asked.shift();
    resolve ? resolve({ value, done: false }) : this.#values.push(value);
  }

  /** Events in the queue can still be read. */
  end() {
    this.#ended = true;
    for (const resolve of this.#asked.splice(0)) resolve(DONE);
  }

  /** The only iterator. `end` is called when the loop is left, also before its first value. */
  iterator(end) {
    const iterator = {
      next: () =>
        new Promise((resolve) => {
          const value = this.#values.shift();
          value
            ? resolve({ value, done: false })
            : this.#ended
              ? resolve(DONE)
              : this.#asked.push(resolve);
        }),
      return: async (value) => {
        this.#values = [];
        end();
        return { value, done: true };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    forgotten.register(iterator, end);
    return iterator;
  }
}

const DONE = { value: undefined, done: true };
