// Lets the engine read what the network receives, and performs the engine's outputs.

import * as acts from "../acts.js";
import { codeOf } from "../causes.js";
import { now } from "../clock.js";
import * as desk from "../desk.js";
import { BowlineError } from "../error.js";
import * as kinds from "../kinds.js";
import { remember } from "../verdict.js";
import { carries, parsed } from "../wire.js";
import { TRANSPORTS } from "../words.js";
import { received } from "./events.js";
import { note } from "./findings.js";
import { asked } from "./handlers.js";
import { batch, keep } from "./outgoing.js";
import { LATE, failed, replied, unanswered } from "./requests.js";
import { introduce, setUp, welcomed } from "./session.js";
import { connecting, end, noteFailure, stand } from "./status.js";
import { LONGEST } from "./timer.js";

/** What the network reports, for `Network`. */
export const reports = (client) => ({
  lines: (text) => {
    const lines = text.split("\n");
    if (!lines.at(-1)) lines.pop();
    const at = now();
    lines.every((text) => take(client, at, text));
    pump(client, at);
  },
  message: (text, bytes) => {
    const at = now();
    take(client, at, text, bytes);
    pump(client, at);
  },
  sent: () => {
    client._call(acts.SENT);
    client._wake();
  },
  answered: (polled, empty) => {
    if (polled) client._call(acts.POLLED, empty, now());
    else client._call(acts.POSTED, now());
    pump(client);
  },
  ended: (words, ...more) => {
    client._call(acts.ENDED, words, now(), ...more);
    client._wake();
  },
  tried: (words, ...more) => {
    client._call(acts.TRIED, words, now(), ...more);
    client._wake();
  },
});

const take = (client, at, text, raw) => {
  client._line = text;
  client._raw = raw;
  // An empty line is malformed: the engine sends the server the error.
  const line = carries(text, raw) ? text : "";
  const more = client._call(acts.LINE, line, text.length + (raw?.length ?? 0), at, text, raw);
  for (let kind; (kind = client._call(acts.EVENT, at));) does(client, kind);
  return more;
};

/** Performs an output of another tab's engine, or without a kind asks the own engine. */
export const perform = (client, kind, words, values, text, raw) => {
  if (!kind) return pump(client);
  client._line = text;
  client._raw = raw;
  desk.numbers(...words);
  values.forEach(desk.part);
  does(client, kind);
};

/** Sends all packets of one turn in one batch. */
export const wake = (client) => {
  if (client._soon) return;
  client._soon = true;
  queueMicrotask(() => pump(client));
};

export const pump = (client, time = now()) => {
  if (!client._ready) return;
  // It may be large.
  client._line = "";
  client._raw = undefined;
  // The loop below handles outputs that calls cause in the meantime.
  client._soon = true;
  try {
    for (let kind; (kind = client._call(acts.OUTPUT, time));) does(client, kind);
  } finally {
    client._soon = false;
  }
  const at = desk.takeNumbers()[0] || Infinity;
  keep(client);
  if (at >= client._timerAt) return;
  clearTimeout(client._timer);
  client._timerAt = at;
  client._timer = setTimeout(
    () => {
      client._timerAt = Infinity;
      client._call(acts.TIMEOUT, now());
      pump(client);
    },
    Math.min(at - now(), LONGEST),
  );
};

const does = (client, kind) => DEEDS[kind](client, desk.takeNumbers());

/** The handler of each kind of output: a function of the client and the numbers. */
const DEEDS = {
  [kinds.OPEN]: ({ _network }) => _network.open(),
  [kinds.DROP]: ({ _network }) => _network.drop(),
  [kinds.INTRODUCE]: introduce,
  [kinds.SOCKET]: (client) => client._network.socket(batch(client)),
  [kinds.STREAM]: (client) => client._network.stream(batch(client)),
  [kinds.POLL]: (client) => client._network.poll(batch(client)),
  [kinds.POST]: (client) => client._network.post(batch(client)),
  [kinds.EVENT]: received,
  [kinds.REQUEST]: asked,
  [kinds.REPLY]: replied,
  [kinds.FAILURE]: failed,
  [kinds.TIMED_OUT]: (client, words) => unanswered(client, "timeout", LATE, words),
  [kinds.LOST]: (client, words) =>
    unanswered(client, "session-lost", "the session ended first", words),
  [kinds.MEASURED]: (client, [rtt]) => {
    client._rtt = rtt;
    client._pings.splice(0).forEach(({ resolve }) => resolve(rtt));
  },
  [kinds.CONNECTING]: (client, [transport, code]) => {
    noteFailure(client, desk.takeParts()[0], code);
    connecting(client, TRANSPORTS[transport]);
  },
  [kinds.CONNECTED]: (client, [transport, resumed]) => {
    welcomed(client);
    stand(client, { state: "connected", transport: TRANSPORTS[transport], resumed: !!resumed });
  },
  [kinds.WAITING]: (client, [retryIn, code]) => {
    noteFailure(client, desk.takeParts()[0], code);
    stand(client, { state: "waiting", retryIn });
  },
  [kinds.SESSION_LOST]: (client, [code, confirmed, unknown]) =>
    stand(client, { state: "session-lost", code, confirmed, unknown }),
  [kinds.CLOSED]: (client, [code, cause]) => {
    const [reason, words] = desk.takeParts();
    if (cause) {
      noteFailure(client, words, cause);
      client._broken = new BowlineError(codeOf(cause), client._lastFailure);
      client._broken.closeCode = code;
    }
    stand(client, { state: "closed", code, reason: cause ? codeOf(cause) : parsed(reason) });
  },
  [kinds.OVER]: end,
  [kinds.NOTED]: (client, [what, time, code]) => {
    const [transport, finding] = [TRANSPORTS[what % 4], what >> 2];
    note(client, transport, finding, time, desk.takeParts()[0], code);
    if (client._learns && (finding == SERVES || finding == LEFT_ALONE))
      remember(client._url, client._call(acts.VERDICT, now()));
  },
  [kinds.ASIDE]: ({ _network }) => _network.stepAside(),
  [kinds.ADOPT]: ({ _network }) => _network.adopt(),
  [kinds.TRIAL]: ({ _network }, [transport]) => _network.tryOut(transport),
  [kinds.SET_UP]: (client, [begin]) => setUp(client, begin),
};

/** Findings after which the engine may have a new verdict. */
const SERVES = 3;
const LEFT_ALONE = 5;
