// The arguments that applications may use, and the errors for others.

import { BowlineError } from "./error.js";
import { encoder } from "./utf8.js";

export const TRANSPORTS = ["", "websocket", "sse", "polling"];

export const fail = (...words) => {
  throw new BowlineError(...words);
};

/** The options, if all are among these names, each between spaces. */
export const known = (options = {}, names) => {
  const other = Object.keys(options).find((name) => !names.includes(" " + name + " "));
  return other ? fail("invalid-option", `there is no option ${other}; there are${names}`) : options;
};

/** The base of relative URLs outside of pages and workers. */
export const NOWHERE = "http://nowhere.invalid/";

/** The URL, relative to the page or worker. */
export const resolved = (url) => {
  const { document, location } = globalThis;
  // The URL of a worker may be a blob's; the URL of its page follows.
  for (const base of [document?.baseURI ?? location?.href.replace(/^blob:/, ""), NOWHERE]) {
    try {
      return new URL(url, base);
    } catch {
      // The next base may work.
    }
  }
  fail("invalid-option", url + " is no URL");
};

/** Transports as digits to the base of 4. */
export const digits = (transports) =>
  transports.reduce((sum, name) => {
    const digit = TRANSPORTS.indexOf(name);
    return digit > 0 ? sum * 4 + digit : fail("invalid-option", "there is no transport " + name);
  }, 0);

/** Names of messages and codes of failures: texts that a line may contain. */
export const isName = (text) =>
  text &&
  !/[\0- \ud800-\udfff]/u.test(text) &&
  (text.length <= 42 || encoder.encode(text).length <= 128);

/**
 * Errors of the application are its own: they reach `window.onerror`, or the console where that
 * does not exist and in Deno, which would end the program.
 */
export const report = (!globalThis.Deno && globalThis.reportError) || console.error;

export const guarded = (call, ...words) => {
  try {
    return call(...words);
  } catch (error) {
    report(error);
  }
};
