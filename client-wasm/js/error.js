/** The only error class of this package; the type declarations list its codes. */
export class BowlineError extends Error {
  // Node prints the name of the class, which the bundle shortens.
  static name = "BowlineError";
  name = "BowlineError";

  constructor(code, message, payload, bytes) {
    super(message || code);
    this.code = code;
    this.payload = payload;
    this.bytes = bytes;
  }

  get retryable() {
    return /^(full|timeout|session-lost|connect-deadline)$/.test(this.code);
  }
}
