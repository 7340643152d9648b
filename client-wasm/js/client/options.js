// What a client is constructed with: its URL and options, checked.

import * as desk from "../desk.js";
import { now } from "../clock.js";
import { host } from "../host.js";
import { recall } from "../verdict.js";
import { TRANSPORTS, digits, fail, known, resolved } from "../words.js";

const invalid = (message) => fail("invalid-option", message);

/** The options, if the application may use all of them. */
export const checkedOptions = (options) => {
  options = known(options, OPTIONS);
  if (options.headers && !host.takes?.(options.headers))
    invalid("no browser sends headers with a WebSocket: use auth or cookies");
  return options;
};

/** The URL of the mount point, without a slash at its end. */
export const mountPoint = (url) => {
  url = resolved(url);
  if (url.username || url.password)
    invalid("credentials in a URL end up in logs: send them with auth or a header");
  url.protocol = url.protocol.replace("ws", "http");
  if (!/^https?:/.test(url.protocol) || url.search || url.hash)
    invalid("the URL is that of a mount point: http or https, without query and fragment");
  return url.href.replace(/\/$/, "");
};

/** The arguments with which the engine creates the client. */
export const engineWords = (client) => {
  const { _options: options } = client;
  const transports = digits(options.transports || TRANSPORTS.slice(1));
  const whenLost = ["reopen", "stop"].indexOf(options.onSessionLost ?? "reopen");
  if (whenLost < 0) invalid("onSessionLost is reopen or stop");
  if (!transports) invalid("the list of transports is empty");
  // With one transport, storage is not worth the milliseconds it takes.
  client._learns = transports > 3 && globalThis.document;
  return [
    transports,
    options.connectTimeout ?? 5e3,
    options.outboxLimit ?? 8 << 20,
    whenLost,
    options.trialInterval ?? 6e4,
    client._learns ? recall(client._url) : 0,
    options.onSession ? (options.setupTimeout ?? 2e4) : 0,
    now(),
    // Distinguishes this client from a copy of its stored state.
    desk.random() * 2 ** 21 + (desk.random() >>> 11),
  ];
};

/** Names between spaces. */
const OPTIONS =
  " auth connectDeadline connectTimeout headers onSession onSessionLost outboxLimit" +
  " requestTimeout setupTimeout share store transports trialInterval ";
