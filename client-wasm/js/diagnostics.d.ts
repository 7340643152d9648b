/**
 * What a client has found out about its network, as a text for people.
 *
 * ```js
 * import { describe } from "bowline-client/diagnostics";
 *
 * help.textContent = describe(client.diagnostics());
 * ```
 */

import type { Diagnostics } from "./index.js";

/**
 * A text for the network's administrator: each attempt, how it ended, and what to change for a
 * better transport. It contains no secrets.
 */
export function describe(diagnostics: Diagnostics): string;
