// What browsers say and can; `runtime.js` adds what others do.

export const host = {
  /** Why a request to this URL failed: words, and the number of the cause if it can be known. */
  explain: (error) => ["" + error],
  /** Opens a WebSocket. */
  socket: (url) => new WebSocket(url),
};
