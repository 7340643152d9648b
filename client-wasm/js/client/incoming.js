// The present line of the server, by its fields.

import { unpack } from "../wire.js";

/** The field between the type (and number) and the payload. */
export const field = (client, from, at) => client._line.slice(from, at ? at - 1 : undefined);

/** The payload that begins at this place, its bytes and its JSON. */
export const payloadAt = (client, at) => unpack(client._line, at, client._raw);
