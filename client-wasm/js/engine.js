// The functions of the engine, with packets as JavaScript has them: the engine itself gets their numbers.

import * as bare from "./bowline_bg.js";
import { hold } from "./desk.js";

export * from "./bowline_bg.js";

export const emit = (id, packet, size, deadline, now) => bare.emit(id, hold(packet), size, deadline, now);
export const emit_volatile = (id, packet, size) => bare.emit_volatile(id, hold(packet), size);
export const reply = (id, epoch, packet, size, now) => bare.reply(id, epoch, hold(packet), size, now);
export const keep = (id, packet, size, answer) => bare.keep(id, hold(packet), size, answer);
