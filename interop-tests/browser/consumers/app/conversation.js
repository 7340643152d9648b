// What every application of the table says to the server, and what it must have heard in the end.

/** Resolves with one line of text, which is `EXPECTED` when all is well. */
export async function converse({ Client, BowlineError }, url, options) {
  const client = new Client(url, options);
  // Before anything is loaded or connected.
  const echo = client.request("echo", "hello");
  const downs = [];
  const heard = new Promise((resolve) =>
    client.on("down", (number) => downs.push(number) == 3 && resolve()),
  );
  client.handle("down", (number) => number + 1);
  await client.connect();
  await client.request("count-down", 3);
  await heard;
  const asked = await client.request("ask-back", 41);
  const bytes = await client.request("reverse", "three", { bytes: Uint8Array.of(1, 2, 3) });
  const failed = await client.request("fail", "as-planned").catch((error) => error);
  const words = [
    await echo,
    downs,
    asked,
    [...bytes.bytes],
    failed instanceof BowlineError && failed.code,
  ];
  await client.close();
  return words.join(" ");
}

export const EXPECTED = "hello 1,2,3 42 3,2,1 as-planned";
