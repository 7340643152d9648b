import * as bowline from "bowline-client";
import { converse } from "./conversation.js";

converse(bowline, "/bowline").then(postMessage, (error) => postMessage(`failed: ${error}`));
