// The acts that the engine performs, by number, with their arguments. The engine is built with the
// numbers of this file.

// Acts whose first argument is a packet:
export const EMIT = 1; // packet, size, deadline or 0, now: a request's id, or a refusal
export const EMIT_AHEAD = 2; // the same, in the set-up of a session
export const EMIT_VOLATILE = 3; // packet, size: whether it was queued
export const REPLY = 4; // packet, size, epoch, now: its number, 0 without the session
export const KEEP = 5; // packet, size, whether it is an answer: a stored packet
// Acts whose first argument is text, which `read.js` parses for the engine:
export const LINE = 6; // line, its size, now: false when the rest must be ignored
export const ENDED = 7; // the line of a refusal or a text, now
export const INTRODUCE = 8; // JSON or why there is none, whether there is none, now
export const TRIED = 9; // the result of a trial: an error or nothing, now
export const SET_UP = 10; // the result of a set-up: an error or nothing, now
export const RESTORE = 11; // a welcome or the key of an open, counter, received, confirmed

export const START = 12; // now
export const CLOSE = 13; // now
export const LIMIT = 14; // bytes of the largest packet for the server; 0 if unknown
export const FORGET = 15; // id of a request: whether it was withdrawn unsent
export const SENT = 16;
export const POLLED = 17; // whether the response was empty, now
export const POSTED = 18; // now
export const TIMEOUT = 19; // now
export const SUSPEND = 20; // now
export const WAKE = 21; // now
export const SWITCH_TO = 22; // digit of a transport, now
export const MEASURE = 23;
export const EVENT = 24; // now: the kind of the next event; 0 at the end
export const OUTPUT = 25; // now: the kind of the next output; 0 at the end
export const EXPECT = 26; // number of a restored request, deadline
export const HOLD = 27; // packets sent before those that an earlier page held, plus 1
export const POSITION = 28; // leaves [received, confirmed, counter, HOLD or 0, sent]
export const KEPT = 29; // leaves the packets without a confirmation
// now: the digit of the transport that serves while better ones do not, plus four times the
// milliseconds for which this remains valid; 0 when the best one serves
export const VERDICT = 30;
// Leaves [reconnects, resumes, lost sessions, switches of transport, dropped volatile events,
// packets without a confirmation].
export const STATS = 31;
export const CLAIM = 32; // the restored instance, the number of its last sent packet

// Refusals.
export const FULL = -1;
export const OVER = -2;
