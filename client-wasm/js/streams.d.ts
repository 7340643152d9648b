/**
 * Streams of items that the client opens: the words of a language model, the lines of a log, a file
 * that is sent or received in parts.
 *
 * ```js
 * import { stream, upload } from "bowline-client/streams";
 *
 * for await (const word of stream(client, "answer", "Which knot for a wet rope?")) show(word);
 *
 * const onProgress = ({ sent, total }) => (bar.value = sent / total);
 * const stored = await upload(client, "attach", file, { payload: { name: file.name }, onProgress });
 * ```
 *
 * Works with every client of this package. A stream survives a change of the transport and of the
 * network. It ends with its session, with the code `session-lost`, and with `interrupted` when the
 * session moves to another process of the server: open it again then, from where it is.
 */

import type { Bytes, Client } from "./index.js";

/** How much the other end may send before this one has taken it. */
export interface Window {
  /** The number of items, 1 to 65,536. */
  items?: number;
  /** The bytes of all of them, at least 1,024; one item may have half. */
  bytes?: number;
}

/**
 * The items of a stream. Iterate it once: the loop ends with the stream, throws the `BowlineError`
 * with which it ends otherwise, and leaving the loop cancels the stream at the server.
 *
 * An item is what the server sends: a value; its bytes as `Uint8Array`; or both, as
 * `{ payload, bytes }`.
 */
export interface ItemStream<T, R = unknown> extends AsyncIterable<T> {
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
  /**
   * Resolves with the value that the server's application returns at the end, `null` if it returns
   * none; rejects with the error with which the stream ends.
   */
  readonly result: Promise<R>;
  /** Cancels the stream. */
  close(): void;
}

/** What can be sent in a stream: values, and bytes, which are sent in parts of 64 KiB at most. */
export type Source =
  Blob | Bytes | ReadableStream<unknown> | AsyncIterable<unknown> | Iterable<unknown>;

export interface StreamOptions {
  /** Aborting it cancels the stream, which ends with the code `aborted`. */
  signal?: AbortSignal;
  /** How much the server may send ahead: 256 items and 256 KiB unless set. */
  window?: Window;
  /** Bytes beside the payload. */
  bytes?: Bytes;
  /** How long the server may take to accept the stream, in milliseconds. */
  timeout?: number;
}

/**
 * Opens a stream. With `send`, items go to the server at the same time, each as soon as the server
 * may receive it.
 *
 * The iterator throws, and `result` rejects with, a `BowlineError`: `no-stream`, the code of the
 * application's failure, `interrupted`, `session-lost`, `item-too-large`, `aborted`, or a code of
 * `request`.
 */
export function stream<T = any, R = unknown>(
  client: Client<any>,
  name: string,
  payload?: unknown,
  options?: StreamOptions & { send?: Source },
): ItemStream<T, R>;

/**
 * Opens a stream and sends a file, other bytes or values. Resolves with the value that the server's
 * application returns. A source that throws ends the stream with its error, and with the failure
 * `aborted` for the server.
 */
export function upload<R = unknown>(
  client: Client<any>,
  name: string,
  source: Source,
  options?: StreamOptions & {
    payload?: unknown;
    /**
     * Called after each part with the bytes that were sent so far, and with those of the source if
     * that is known.
     */
    onProgress?: (progress: { sent: number; total: number | undefined }) => void;
  },
): Promise<R>;
