// What an application sends in a stream, as items: values, and bytes in parts.

/** The items of a source. Parts of bytes have this size at most. */
export async function* itemsOf(source, part) {
  for await (const item of pieces(source, part)) {
    const bytes = toBytes(item);
    if (!bytes) yield item;
    else if (bytes.length <= part) yield bytes;
    else for (let at = 0; at < bytes.length; at += part) yield bytes.subarray(at, at + part);
  }
}

/** The number of bytes of a source, if that is known before. */
export const totalOf = (source) => source.size ?? source.byteLength;

async function* pieces(source, part) {
  if (toBytes(source)) yield source;
  else if (source.getReader) yield* read(source.getReader());
  else if (source.slice && source.size >= 0)
    // A blob, of which only what is sent is in memory.
    for (let at = 0; at < source.size; at += part)
      yield new Uint8Array(await source.slice(at, at + part).arrayBuffer());
  else yield* source;
}

/** Some browsers cannot iterate a ReadableStream. */
async function* read(reader) {
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After its end this does nothing.
    reader.cancel().catch(() => {});
  }
}

const toBytes = (value) =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : /Buffer]$/.test({}.toString.call(value))
      ? new Uint8Array(value)
      : undefined;
