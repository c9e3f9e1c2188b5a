/** What importing a `.wasm?module` gives on the hosts that can. */
declare module '*.wasm?module' {
  const module: WebAssembly.Module;
  export default module;
}
