// What an import of stonechat/kernels/*.wasm gives where a platform compiles it.
declare const module: WebAssembly.Module;
export default module;
