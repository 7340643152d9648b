// Decompresses a deflate stream (RFC 1951). The package contains this function because not every
// runtime has a stream that does it, and no such stream works synchronously.

/**
 * The `size` bytes of a raw deflate stream. The stream belongs to the package: it is not validated.
 */
export const inflate = (stream, size) => {
  const output = new Uint8Array(size);
  let written = 0;
  let position = 0;

  const bit = () => (stream[position >> 3] >> (position++ & 7)) & 1;

  const bits = (count) => {
    let value = 0;
    for (let index = 0; index < count; index++) value |= bit() << index;
    return value;
  };

  const symbol = ({ counts, symbols }) => {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; ; length++) {
      code |= bit();
      const count = counts[length];
      if (code - count < first) return symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
  };

  const stored = () => {
    position = (position + 7) & ~7;
    const length = bits(16);
    const from = (position >> 3) + 2;
    output.set(stream.subarray(from, from + length), written);
    written += length;
    position = (from + length) * 8;
  };

  const compressed = ([literals, distances]) => {
    for (let what; (what = symbol(literals)) != END;) {
      if (what < END) {
        output[written++] = what;
        continue;
      }
      const [least, extra] = LENGTHS[what - END - 1];
      let length = least + bits(extra);
      const [nearest, more] = DISTANCES[symbol(distances)];
      const distance = nearest + bits(more);
      for (; length > 0; length--, written++) output[written] = output[written - distance];
    }
  };

  /** The codes of a block, which are compressed themselves. */
  const codes = () => {
    const [literals, distances, described] = [bits(5) + 257, bits(5) + 1, bits(4) + 4];
    const order = ORDER.slice(0, described);
    const own = new Array(19).fill(0);
    for (const place of order) own[place] = bits(3);
    const code = codeOf(own);
    const lengths = [];
    while (lengths.length < literals + distances) {
      const what = symbol(code);
      if (what < 16) lengths.push(what);
      else if (what == 16) repeat(lengths, lengths.at(-1), 3 + bits(2));
      else repeat(lengths, 0, what == 17 ? 3 + bits(3) : 11 + bits(7));
    }
    return [codeOf(lengths.slice(0, literals)), codeOf(lengths.slice(literals))];
  };

  for (let last = 0; !last;) {
    last = bit();
    const kind = bits(2);
    if (kind == 0) stored();
    else compressed(kind == 1 ? FIXED : codes());
  }
  return output;
};

/**
 * The canonical code with these numbers of bits for each symbol; 0 when a symbol does not occur.
 */
const codeOf = (lengths) => {
  const counts = new Array(16).fill(0);
  const symbols = [];
  for (let length = 1; length < 16; length++) {
    lengths.forEach((own, symbol) => {
      if (own != length) return;
      counts[length]++;
      symbols.push(symbol);
    });
  }
  return { counts, symbols };
};

const repeat = (list, value, times) => {
  while (times--) list.push(value);
};

/**
 * Pairs of a least value and the number of bits that are added to it; `step` values share a number
 * of bits.
 */
const ranges = (count, least, step) =>
  Array.from({ length: count }, (_, index) => {
    const extra = Math.max(0, Math.floor(index / step) - 1);
    const pair = [least, extra];
    least += 1 << extra;
    return pair;
  });

/** The symbol that ends a block. */
const END = 256;
const LENGTHS = [...ranges(28, 3, 4), [258, 0]];
const DISTANCES = ranges(30, 1, 2);
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED = [
  codeOf(
    Array.from({ length: 288 }, (_, symbol) =>
      symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
    ),
  ),
  codeOf(new Array(30).fill(5)),
];
