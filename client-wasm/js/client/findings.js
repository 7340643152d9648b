// What a client has found out about its network.

import { codeOf } from "../causes.js";

/** Stores a finding; `number` is that of a cause, or a close code. */
export const note = ({ _found, _begin }, transport, finding, duration, detail, number) => {
  const code = number > 999 ? number : codeOf(number);
  const at = Date.now() - _begin;
  _found.push({ at, transport, finding: FINDINGS[finding], duration, code, detail });
  if (_found.length > 64) _found.shift();
};

/** In the order of the engine's findings. */
const FINDINGS = [
  "tried",
  "slow",
  "failed",
  "serves",
  "lost",
  "avoided",
  "trial",
  "trial-failed",
  "proven",
];
