// The engine inside the package: for Node, for bundlers that do not copy assets, and for single
// files.

import module from "../embedded.js";

export const instantiate = async (imports) => WebAssembly.instantiate(module(), imports);
