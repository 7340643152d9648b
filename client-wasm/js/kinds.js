// The kinds of the engine's outputs, by number, and what is on its desk then: [numbers] and texts.
// The engine is built with the numbers of this file.

export const NOTHING = 0; // [time of the next timeout or 0]
export const OPEN = 1;
export const DROP = 2;
export const INTRODUCE = 3;
export const SOCKET = 4; // the lines and packets of a batch, and so the next three
export const STREAM = 5;
export const POLL = 6;
export const POST = 7;
export const EVENT = 8; // [payload at, number, epoch]
export const REQUEST = 9; // [payload at, number, epoch]
export const REPLY = 10; // [payload at, request]
export const FAILURE = 11; // [payload at, request]
export const TIMED_OUT = 12; // [whether it was sent, request]
export const LOST = 13; // [whether it was sent, request]
export const MEASURED = 14; // [milliseconds]
export const CONNECTING = 15; // text of the last failure; [transport, its code]
export const CONNECTED = 16; // [transport, resumed]; the last line is the welcome
export const WAITING = 17; // text of the last failure; [milliseconds, its code]
export const SESSION_LOST = 18; // [code, confirmed, unknown]
export const CLOSED = 19; // reason; [code]
export const OVER = 20;
export const NOTED = 21; // text; [transport and four times the finding, milliseconds, code]
export const ASIDE = 22;
export const ADOPT = 23;
export const TRIAL = 24; // [transport or 0]
export const SET_UP = 25; // [whether to start, otherwise stop]; the last line may be the welcome
