/** Brings the engine to life. */
export const start = async (bindings, bytes) => {
  const { instance } = await WebAssembly.instantiate(bytes, { "./bowline_bg.js": bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
};
