// What the engine can be asked to do, by number, and with which words. The engine is built with the numbers
// of this file.

// What begins with a packet:
export const EMIT = 1; // packet, size, deadline or 0, now: the request's id if it is one, or one of the refusals below
export const EMIT_VOLATILE = 2; // packet, size: whether it was taken
export const REPLY = 3; // packet, size, epoch, now: its number, 0 when the session that wanted it is gone
export const KEEP = 4; // packet, size, whether it is an answer: an earlier page had kept it
// What begins with text:
export const LINE = 5; // head, size of all of it, now: false when what follows must not be used
export const ENDED = 6; // the line of a refusal or words, now
export const INTRODUCE = 7; // JSON or why there is none, whether there is none, now
export const TRIED = 8; // why not, or nothing when it works, now: what came of a trial
export const RESTORE = 9; // the line of a welcome or the key of an open, counter, received, confirmed

export const START = 10; // now
export const CLOSE = 11; // now
export const LIMIT = 12; // bytes of the largest packet that the server takes; 0 when it is not known yet
export const FORGET = 13; // id of a request: whether it was never sent, and never will be
export const SENT = 14;
export const POLLED = 15; // whether it was answered with nothing, now
export const POSTED = 16; // now
export const TIMEOUT = 17; // now
export const SUSPEND = 18; // now
export const WAKE = 19; // now
export const SWITCH_TO = 20; // digit of a transport, now
export const MEASURE = 21;
export const EVENT = 22; // now: the kind of what happened; 0 when that was all
export const OUTPUT = 23; // now: the kind of what happened or has to be done; 0 when that was all
export const EXPECT = 24; // number of a restored request, deadline
export const POSITION = 25; // leaves [received, confirmed, counter]
export const KEPT = 26; // leaves the packets without a confirmation
// now: the digit of the transport that serves because better ones do not, and four times the milliseconds for
// which that is to be believed; 0 when the best one serves
export const VERDICT = 27;
// Leaves [reconnects, resumes, lost sessions, switches of transport, dropped volatile events, packets
// without a confirmation].
export const STATS = 28;

// Refusals.
export const FULL = -1;
export const OVER = -2;
