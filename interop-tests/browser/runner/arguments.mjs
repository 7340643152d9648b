/** `--name value` pairs of the command line, checked against the names that are needed. */
export function parse(words, needed, optional = []) {
  const values = {};
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, "");
    if (![...needed, ...optional].includes(name) || words[at + 1] === undefined) {
      throw new Error(`${words[at]} is not known or has no value`);
    }
    values[name] = words[at + 1];
  }
  for (const name of needed) {
    if (values[name] === undefined) throw new Error(`--${name} is missing`);
  }
  return values;
}
