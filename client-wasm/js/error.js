/** The one error of this package; the type declarations list its codes. */
export class BowlineError extends Error {
  name = "BowlineError";

  constructor(code, message, payload, bytes) {
    super(message || code);
    this.code = code;
    this.payload = payload;
    this.bytes = bytes;
  }

  get retryable() {
    return /^(full|timeout|session-lost)$/.test(this.code);
  }
}
