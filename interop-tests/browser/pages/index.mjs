/** Tests that happen to whole pages and are driven from outside. */

import { blockedTests } from "./blocked.mjs";
import { compressingTests } from "./compressing.mjs";
import { copyTests } from "./copies.mjs";
import { healingTests } from "./healing.mjs";
import { hiddenTests } from "./hidden.mjs";
import { http2Tests } from "./http2.mjs";
import { leavingTests } from "./leaving.mjs";
import { loadingTests } from "./loading.mjs";
import { memoryTests } from "./memory.mjs";
import { placesTests } from "./places.mjs";
import { quickStartTests } from "./quick-start.mjs";
import { refusalTests } from "./refusals.mjs";
import { frozenTests, sharedTests } from "./shared.mjs";

/** The tests for a browser, by how it has to be launched: each takes the launched browser. */
export function pageTests(browser, control) {
  const common = (launched) => [
    ...blockedTests(launched, control),
    ...compressingTests(launched, control),
    ...copyTests(launched, control),
    ...healingTests(launched, control),
    ...http2Tests(launched, control),
    ...leavingTests(browser, launched, control),
    ...loadingTests(launched, control),
    ...memoryTests(launched, control),
    ...placesTests(browser, launched, control),
    ...quickStartTests(launched, control),
    ...refusalTests(launched, control),
    ...sharedTests(browser, launched, control),
  ];
  const throttled = (launched) => [
    ...hiddenTests(launched, control),
    ...frozenTests(launched, control),
  ];
  if (browser === "firefox") return { firefox: common };
  return { chromium: common, throttled };
}
