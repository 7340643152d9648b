// Checks that the package parses and writes the lines of the protocol's vectors: node vectors.mjs
import { deepStrictEqual } from "node:assert";
import { readFileSync, readdirSync } from "node:fs";
import { control, first, numbers as leave, takeParts } from "../../js/desk.js";
import { read } from "../../js/read.js";
import { SendWindow } from "../../js/streams/window.js";
import { matches } from "../../js/topics/registry.js";
import { carries } from "../../js/wire.js";

const VECTORS = new URL("../../../protocol-spec/vectors/packets/", import.meta.url);
/** Lines that only servers parse. */
const OTHERS = /^(open|attach|ticket)( |$)/;

/** The packet of a line as vectors describe it. */
const packet = (line) => {
  const [kind, number, at, ...more] = carries(line) ? read(line) : [0];
  if (kind < 2) return kind ? "UNKNOWN_PACKET" : "MALFORMED";
  const fields = line.split(" ");
  const numbers = (names, values) =>
    Object.fromEntries(
      names.map((name, index) => [name, values[index]]).filter(([, value]) => value >= 0),
    );
  const payload = () => {
    const text = at ? line.slice(at) : "";
    const field = line < "a" ? text.split(" ", 1)[0] : undefined;
    const json = field === undefined ? text : text.slice(field.length + 1);
    return {
      ...(json && { json }),
      ...(field && { bytes: Buffer.from(field, "base64").toString("hex") }),
    };
  };
  const [token] = more;
  return {
    e: () => ({ type: "event", name: fields[1], ...payload() }),
    q: () => ({ type: "request", name: fields[1], ...payload() }),
    v: () => ({ type: "volatile", name: fields[1], ...payload() }),
    r: () => ({ type: "reply", request: number, ...payload() }),
    f: () => ({ type: "failure", request: number, code: fields[2], ...payload() }),
    c: () => ({ type: "confirm", number }),
    n: () => ({ type: "position", number }),
    h: () => ({ type: "heartbeat", token }),
    a: () => ({ type: "alive", token }),
    x: () => {
      const reason = more[2] && { reason: more[2] };
      return { type: "close", code: number, ...numbers(["retry", "last"], more), ...reason };
    },
    w: () => ({
      type: "welcome",
      ...DEFAULTS,
      ...numbers(TIMES, more),
      ...identity(more.slice(TIMES.length)),
    }),
  }[String.fromCharCode(kind)]();
};

const TIMES = ["recv", "next", "heartbeat", "grace", "window", "packet", "batch"];
/** The limits that a welcome need not state. */
const DEFAULTS = { packet: 1 << 20, batch: 2 << 20 };

const identity = (bytes) => {
  const text = (from, to) => Buffer.from(bytes.slice(from, to)).toString("base64url");
  return { sid: `${text(0, 6)}.${text(6, 18)}`, ...(bytes.length > 18 && { secret: text(18) }) };
};

/** The line that the package writes for this one, undefined if only servers write it. */
const written = (line, { type, reason = "", token = reason }) => {
  const [kind, ...fields] = line.split(" ");
  const value = (name) =>
    fields.find((field) => field.startsWith(`${name}=`))?.slice(name.length + 1);
  const bytes = (text = "") => Buffer.from(text.replace(".", ""), "base64url");
  if (/^(open|attach)$/.test(type)) {
    const pairs = ["n", "recv", "next", "by", "take", "last", "kept", "greet"]
      .map((name) => +(value(name) ?? -1))
      .concat(-1);
    for (let at = 0; at < pairs.length; at += 3) leave(...pairs.slice(at, at + 3));
    const ids =
      type === "open"
        ? bytes(value("key"))
        : Buffer.concat([bytes(value("sid")), bytes(value("secret"))]);
    first(ids, Buffer.from(/^([a-z][^ =]*=[^ ]* ?)*(.*)$/.exec(fields.join(" "))[2]));
  } else if (
    /^(confirm|position|heartbeat|alive|close)$/.test(type) &&
    !value("retry") &&
    !value("last")
  ) {
    const isEcho = /^[ha]$/.test(kind);
    control(kind.charCodeAt(), isEcho ? -1 : +fields[0], Buffer.from(token));
  }
  return takeParts()[0];
};

let checked = 0;
for (const file of readdirSync(VECTORS)) {
  for (const { name, line, canonical, error, packet: expected } of JSON.parse(
    readFileSync(new URL(file, VECTORS), "utf8"),
  )) {
    if (line === undefined) continue;
    if (expected && canonical !== false)
      deepStrictEqual(written(line, expected) ?? line, line, `${file}: ${name}`);
    if (OTHERS.test(line)) continue;
    deepStrictEqual(packet(line), error ?? expected, `${file}: ${name}`);
    checked++;
  }
}
for (const { name, pattern, topic, matches: expected } of JSON.parse(
  readFileSync(new URL("../topics.json", VECTORS), "utf8"),
)) {
  if (pattern !== undefined) deepStrictEqual(matches(pattern, topic), expected, name);
}
for (const { name, window, sender = [] } of JSON.parse(
  readFileSync(new URL("../streams.json", VECTORS), "utf8"),
)) {
  const sending = window && new SendWindow(window);
  for (const { send, may, taken } of sender) {
    if (taken !== undefined) sending.taken(taken);
    else if (may === null) deepStrictEqual(send > sending.largest, true, name);
    else deepStrictEqual(sending.fits(send) && send <= sending.largest, may, name);
    if (may) sending.sent(send);
  }
}
console.log(`the package parses and writes ${checked} lines of the vectors`);
