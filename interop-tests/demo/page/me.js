/** Who sits at this window. Kept for the tab, so that a reload is the same person. */

/** Resolves with `{ id, name }`; another tab that is a copy of this one gets an id of its own. */
export async function whoAmI() {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  if (kept && (await isMine(kept.id))) return kept;
  const me = { id: crypto.randomUUID(), name: kept?.name ?? someName() };
  await isMine(me.id);
  remember(me);
  return me;
}

/** Keeps the person for the next load of this tab. */
export function remember(me) {
  sessionStorage.setItem(KEY, JSON.stringify(me));
}

/**
 * A tab that is duplicated copies what it has kept: only one of the two may use it. After a reload,
 * the page before may still be about to let go.
 */
function isMine(id) {
  return new Promise((resolve) => {
    const held = new Promise(() => {});
    const taken = navigator.locks.request(`${KEY}.${id}`, { signal: AbortSignal.timeout(PATIENCE) }, () => {
      resolve(true);
      return held;
    });
    taken.catch(() => resolve(false));
  });
}

function someName() {
  const one = (words) => words[Math.floor(Math.random() * words.length)];
  return `${one(FIRST)} ${one(SECOND)}`;
}

const KEY = "bowline-demo";

/** Milliseconds that a page has to let go. */
const PATIENCE = 500;

const FIRST = ["Amber", "Calm", "Clever", "Early", "Gentle", "Grey", "Merry", "Patient", "Quiet", "Swift", "Tidy", "Warm"];
const SECOND = ["Curlew", "Dunlin", "Eider", "Fulmar", "Gannet", "Heron", "Petrel", "Plover", "Puffin", "Tern", "Turnstone", "Wigeon"];
