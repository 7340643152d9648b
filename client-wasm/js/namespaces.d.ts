/**
 * Namespaces: parts of a session with their own authentication, rooms and handlers.
 *
 * ```js
 * import { namespace, rejoin } from "bowline-client/namespaces";
 *
 * const client = new Client("/bowline", { onSession: (setup) => rejoin(client, setup) });
 * const admin = namespace(client, "/admin");
 * admin.on("said", (text) => console.log(text));
 * await admin.join("my token");
 * admin.emit("say", "hello");
 * ```
 */

import type { Bytes, Client, Setup, Unsubscribe } from "./index.js";

/** Why a membership has ended. */
export interface NamespaceEnd {
  /**
   * `kicked` by the server's application, `left` and `closed` by this end, or the code of the
   * failure with which the server has refused to let the client join again, such as `refused`.
   */
  code: string;
  /** The application's reason, or the details of the failure. */
  reason?: any;
}

/** A namespace of one client. Have one for each name. */
export interface Namespace {
  readonly name: string;
  /** True from `join` until the membership has ended. It survives cuts and new sessions. */
  readonly isJoined: boolean;
  /** Why the membership has ended, if it has. */
  readonly end: NamespaceEnd | undefined;
  /** Resolves when the membership that the last `join` began has ended. */
  readonly ended: Promise<NamespaceEnd>;
  /**
   * Joins, with this authentication or what the function returns. The client joins again by itself
   * in each new session: before queued messages where `rejoin` is part of `onSession`.
   *
   * Rejects with a `BowlineError`: `refused` with `{ code, reason }` as its payload,
   * `no-namespace`, `no-handler`, `too-many-namespaces`, `too-many-rooms`, or a code of `request`.
   */
  join(auth?: unknown): Promise<void>;
  /** Leaves. Resolves when the server has confirmed it. */
  leave(): Promise<void>;
  /** As `emit` of the client. The server drops the event if the client has not joined. */
  emit(name: string, payload?: any, bytes?: Bytes): void;
  /** As `emitVolatile` of the client. */
  emitVolatile(name: string, payload?: any, bytes?: Bytes): boolean;
  /** As `request` of the client. It fails with `no-namespace` if the client has not joined. */
  request<R = any>(
    name: string,
    payload?: any,
    options?: { timeout?: number; signal?: AbortSignal; bytes?: Bytes },
  ): Promise<R>;
  /** As `on` of the client. Listen before joining to miss nothing. */
  on(
    name: string,
    listener: (payload: any, bytes?: Uint8Array) => void,
    options?: { signal?: AbortSignal; once?: boolean },
  ): Unsubscribe;
  /** As `handle` of the client. */
  handle(name: string, handler: (payload: any, bytes?: Uint8Array) => any): Unsubscribe;
}

/** A handle of a namespace such as `/admin`. */
export function namespace(client: Client<any>, name: string): Namespace;

/**
 * Joins the client's namespaces again in the set-up of a new session, before queued messages: for
 * `onSession`. Without it the client joins behind them, and the server drops those that are in a
 * namespace.
 */
export function rejoin(client: Client<any>, setup: Setup): Promise<void>;
