// What the engine can be asked to do, by number, and with which words. The engine is built with the numbers
// of this file.

// What begins with a packet:
export const EMIT = 1; // packet, size, deadline or 0, now: the request's id if it is one, or one of the refusals below
export const EMIT_AHEAD = 2; // the same, by the set-up of a session
export const EMIT_VOLATILE = 3; // packet, size: whether it was taken
export const REPLY = 4; // packet, size, epoch, now: its number, 0 when the session that wanted it is gone
export const KEEP = 5; // packet, size, whether it is an answer: an earlier page had kept it
// What begins with text:
export const LINE = 6; // head, size of all of it, now: false when what follows must not be used
export const ENDED = 7; // the line of a refusal or words, now
export const INTRODUCE = 8; // JSON or why there is none, whether there is none, now
export const TRIED = 9; // why not, or nothing when it works, now: what came of a trial
export const SET_UP = 10; // why not, or nothing when it is done, now: what came of the set-up of a session
export const RESTORE = 11; // the line of a welcome or the key of an open, counter, received, confirmed

export const START = 12; // now
export const CLOSE = 13; // now
export const LIMIT = 14; // bytes of the largest packet that the server takes; 0 when it is not known yet
export const FORGET = 15; // id of a request: whether it was never sent, and never will be
export const SENT = 16;
export const POLLED = 17; // whether it was answered with nothing, now
export const POSTED = 18; // now
export const TIMEOUT = 19; // now
export const SUSPEND = 20; // now
export const WAKE = 21; // now
export const SWITCH_TO = 22; // digit of a transport, now
export const MEASURE = 23;
export const EVENT = 24; // now: the kind of what happened; 0 when that was all
export const OUTPUT = 25; // now: the kind of what happened or has to be done; 0 when that was all
export const EXPECT = 26; // number of a restored request, deadline
export const HOLD = 27; // how many packets had gone out before those that an earlier page had held for a set-up, and 1
export const POSITION = 28; // leaves [received, confirmed, counter, HOLD of what is held now or 0, sent]
export const KEPT = 29; // leaves the packets without a confirmation
// now: the digit of the transport that serves because better ones do not, and four times the milliseconds for
// which that is to be believed; 0 when the best one serves
export const VERDICT = 30;
// Leaves [reconnects, resumes, lost sessions, switches of transport, dropped volatile events, packets
// without a confirmation].
export const STATS = 31;
export const CLAIM = 32; // instance, number of the last packet that it has sent: what was restored is that one's

// Refusals.
export const FULL = -1;
export const OVER = -2;
