// Pages that sleep, wake and are unloaded.

/**
 * Calls `wake()`, `sleep(mayComeBack)` and `stay()` until the signal is aborted: the page is awake
 * or has its network again, it is about to sleep or to be unloaded, it continues after all.
 */
export const watchPage = (signal, { wake, sleep, stay }) => {
  const { document, addEventListener } = globalThis;
  const on = (target, name, listener) => target?.addEventListener(name, listener, { signal });
  if (!addEventListener) return;
  on(globalThis, "online", wake);
  on(globalThis, "pageshow", ({ persisted }) => {
    stay();
    if (persisted) wake();
  });
  on(globalThis, "pagehide", ({ persisted }) => sleep(persisted, true));
  on(document, "freeze", () => sleep(true));
  on(document, "resume", wake);
  on(document, "visibilitychange", () => document.hidden || wake());
};
