// The smallest application that a bundler must get right: the title says how it went.
import { CloseCode } from "bowline-client/close-codes";

try {
  const { Client } = location.hash === "#inline" ? await import("bowline-client/inline") : await import("bowline-client");
  document.title = `${new Client("/bowline").status.state} ${CloseCode.NORMAL}`;
} catch (error) {
  document.title = `failed: ${error}`;
}
