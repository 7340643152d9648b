// The same, and in a worker after that.
import "./main.js";

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => (document.documentElement.dataset.worker = data);
worker.onerror = ({ message }) => (document.documentElement.dataset.worker = `failed: ${message}`);
