// The application's listeners: of events, and of the status.

import { Queue } from "../queue.js";
import { until } from "../until.js";
import { guarded, known } from "../words.js";
import { field, payloadAt } from "./incoming.js";

export const on = (client, name, listener, options) => {
  const { signal, once } = known(options, " signal once ");
  const all = client._listeners;
  const listeners = all.get(name) || new Set();
  const off = () => {
    spared();
    listeners.delete(heard);
    if (!listeners.size && all.get(name) == listeners) all.delete(name);
  };
  const heard = (...words) => {
    if (once) off();
    listener(...words);
  };
  const spared = until(signal, off);
  if (signal?.aborted) return off;
  listeners.add(heard);
  all.set(name, listeners);
  return off;
};

/** An iterator of the events of a name. */
export const events = (client, name, options) => {
  const { signal } = known(options, SIGNAL);
  const queue = new Queue();
  const off = on(client, name, (payload, bytes) => queue.push({ payload, bytes }));
  const end = () => {
    spared();
    off();
    client._closers.delete(end);
    queue.end();
  };
  const spared = until(signal, end);
  client._closers.add(end);
  if (signal?.aborted || client._status.state == "closed") end();
  return queue.iterator(end);
};

export const onStatus = (client, listener, options) => {
  const { signal } = known(options, SIGNAL);
  const heard = (status) => guarded(listener, status);
  const off = () => {
    spared();
    client._watchers.delete(heard);
  };
  const spared = until(signal, off);
  if (signal?.aborted) return off;
  client._watchers.add(heard);
  heard(client._status);
  return off;
};

/** Calls the listeners of the present line. */
export const received = (client, [at]) => {
  const listeners = client._listeners.get(field(client, 2, at));
  if (!listeners) return;
  guarded(() => {
    const [payload, raw] = payloadAt(client, at);
    for (const listener of listeners) guarded(listener, payload, raw);
  });
};

/** Names between spaces. */
const SIGNAL = " signal ";
