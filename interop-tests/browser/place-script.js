/**
 * The same in a worker that is made of a script, which gets the package as a bundle would have it.
 */

// What a module of CommonJS writes to.
var exports = {};
importScripts("/package/inline.cjs");

addEventListener("message", async ({ ports }) => {
  const converse = await conversation();
  const told = converse(exports, "/bowline").catch((error) => `${error?.stack ?? error}`);
  ports[0].postMessage(await told);
});

/** Scripts of service workers may import nothing later. */
async function conversation() {
  const text = await (await fetch("consumers/app/conversation.js")).text();
  return new Function(`${text.replaceAll("export ", "")}; return converse;`)();
}
