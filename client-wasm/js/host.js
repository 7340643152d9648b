// The functions that browsers offer; `runtime.js` adds those of other runtimes.

export const host = {
  /** Why a request to this URL failed: a text, and the number of the cause if it can be known. */
  explain: (error) => ["" + error],
  /** Opens a WebSocket. */
  socket: (url) => new WebSocket(url),
};
