// The engine's loading, and the client's start and end.

import * as acts from "../acts.js";
import { now } from "../clock.js";
import * as engine from "../engine.js";
import { BowlineError } from "../error.js";
import { watchPage } from "../page.js";
import { numberOf, waiting } from "../waiting.js";
import { line } from "../wire.js";
import { NOWHERE } from "../words.js";
import { onStatus } from "./events.js";
import { renumber, settle } from "./requests.js";
import { closedError, connecting, end, stand } from "./status.js";
import { LONGEST } from "./timer.js";

const released = new FinalizationRegistry(engine.release);

export const connect = (client) =>
  new Promise((resolve, reject) => {
    const { connectDeadline, transports } = client._options;
    const late = () => {
      unwatch();
      const last = client._lastFailure ? ", last met: " + client._lastFailure : "";
      const message = `not connected in ${connectDeadline} ms` + last;
      reject(new BowlineError("connect-deadline", message));
    };
    const timer = connectDeadline <= LONGEST && setTimeout(late, connectDeadline);
    const unwatch = onStatus(client, (status) => {
      const isClosed = status.state == "closed";
      if (!isClosed && status.state != "connected") return;
      clearTimeout(timer);
      queueMicrotask(() => unwatch());
      isClosed ? reject(closedError(client, status)) : resolve();
    });
    if (client._status.state != "idle") return;
    if (isNowhere(client))
      return giveUp(
        client,
        0,
        new BowlineError("invalid-option", "without a page the URL has to say the host"),
      );
    watch(client);
    if (!client._ready) connecting(client, transports?.[0] ?? "websocket");
    client._call(acts.START, now());
    client._pump();
  });

export const close = (client) => {
  const isIdle = client._status.state == "idle";
  // The next client of the page can use it at once; a session that was never needed remains
  // stored.
  client._keeper?.end(isIdle);
  if (!client._ready && isIdle) giveUp(client, 1000);
  client._call(acts.CLOSE, now());
  client._wake();
  return new Promise((resolve) =>
    client._status.state == "closed" ? resolve() : client._closers.add(resolve),
  );
};

const isNowhere = (client) => client._url.startsWith(NOWHERE);

/** Loads the engine in the background; calls are recorded in the meantime. */
export const load = (client, words) => {
  const calls = [];
  client._call ||= waiting(calls, words[2]);
  if (isNowhere(client)) return;
  engine.load().then(
    () => client._ready || client._status.state == "closed" || begin(client, words, calls),
    (error) =>
      giveUp(
        client,
        0,
        new BowlineError("load-failed", "bowline.wasm could not be loaded: " + error),
      ),
  );
};

/** Passes the recorded calls to the engine. */
const begin = (client, words, calls) => {
  const id = engine.create(...words);
  // The carrier and the timers refer to this object, so it lives as long as they need the engine.
  released.register(client, id);
  client._ready = client._call = (what, a, b, c, d) => engine.act(id, what, a, b, c, d);
  calls.forEach(([what, ...words], index) => {
    const id = client._call(what, ...words);
    if (what != acts.EMIT) return;
    renumber(client, numberOf(index), id);
    client._keeper?.put(line(words[0]));
  });
  client._pump();
};

/** Ends the client without the engine: it cannot be loaded, or was not needed. */
const giveUp = (client, code, failure) => {
  if (client._status.state == "closed") return;
  client._broken = failure;
  client._call(acts.CLOSE, now());
  for (const number of client._pending.keys())
    settle(client, number, () => {
      throw closedError(client, { code });
    });
  stand(client, { state: "closed", code, reason: failure?.message });
  end(client);
};

const watch = (client) => {
  const gone = new AbortController();
  client._closers.add(() => gone.abort());
  const act = (what) => {
    client._call(what, now());
    client._pump();
  };
  watchPage(gone.signal, {
    wake: () => act(acts.WAKE),
    // A page that may come back keeps its session; any other closes it.
    sleep: (mayComeBack, leaving) => {
      if (leaving) client._network.leaving = true;
      act(mayComeBack || client._keeper ? acts.SUSPEND : acts.CLOSE);
    },
    stay: () => (client._network.leaving = false),
  });
};
