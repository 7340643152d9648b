/** Claims, which throw when they do not hold. */

export class Broken extends Error {}

export function ok(value, what) {
  if (!value) throw new Broken(what);
}

/** Compares what JSON can say, and bytes. */
export function equal(actual, expected, what = "not as expected") {
  const [left, right] = [show(actual), show(expected)];
  if (left !== right) throw new Broken(`${what}: ${shorten(left)} instead of ${shorten(right)}`);
}

/** The error with which a promise is rejected; it has to have this code. */
export async function fails(promise, code) {
  const error = await promise.then(
    (value) => {
      throw new Broken(`${shorten(show(value))} instead of the failure ${code}`);
    },
    (error) => error,
  );
  return coded(error, code);
}

/** The error that a call throws; it has to have this code. */
export function throws(call, code) {
  let value;
  try {
    value = call();
  } catch (error) {
    return coded(error, code);
  }
  throw new Broken(`${shorten(show(value))} instead of the exception ${code}`);
}

/** The numbers from 1 to n. */
export function through(n) {
  return Array.from({ length: n }, (_, index) => index + 1);
}

function coded(error, code) {
  if (error instanceof Broken) throw error;
  if (error?.name !== "BowlineError" || error.code !== code) {
    throw new Broken(`${error?.stack ?? error} instead of a BowlineError with code ${code}`);
  }
  return error;
}

function show(value) {
  const bytes = (_, part) => (part instanceof Uint8Array ? `bytes ${[...part]}` : part);
  return JSON.stringify(value, bytes) ?? "undefined";
}

function shorten(text) {
  return text.length > 300 ? `${text.slice(0, 200)}… (${text.length} characters)` : text;
}
