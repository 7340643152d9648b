// The functions of the engine, with packets and text as JavaScript has them: the engine itself gets the
// numbers of packets, and reads text from its desk.

import * as bare from "./bowline_bg.js";
import { hold, leave } from "./desk.js";

export * from "./bowline_bg.js";

export const emit = (id, packet, size, deadline, now) => bare.emit(id, hold(packet), size, deadline, now);
export const emit_volatile = (id, packet, size) => bare.emit_volatile(id, hold(packet), size);
export const reply = (id, epoch, packet, size, now) => bare.reply(id, epoch, hold(packet), size, now);
export const keep = (id, packet, size, answer) => bare.keep(id, hold(packet), size, answer);
export const line = (id, head, size, now) => bare.line(id, leave(head), size, now);
export const ended = (id, words, now) => bare.ended(id, leave(words), now);
export const introduce = (id, auth, failed, now) => bare.introduce(id, leave(auth), failed, now);
export const restore = (id, welcome, counter, received, confirmed) =>
  bare.restore(id, leave(welcome), counter, received, confirmed);
