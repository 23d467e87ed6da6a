// Written by scripts/build-js.mjs, found through the "imports" of package.json.

/** The kernels as this runtime may have them: bytes, or a module compiled when the application was deployed. */
declare module '#kernels' {
  import type { Build, KernelSet } from '../host/host.js';
  /** Those that are here, where not all are. */
  export const builds: readonly Build[] | undefined;
  export function kernelCode(build: Build, shared: boolean, set: KernelSet): Promise<WebAssembly.Module | BufferSource>;
}

/** The training kernels in the same forms. */
declare module '#train-kernels' {
  import type { Build } from '../host/host.js';
  export function kernelCode(build: Build, shared: boolean): Promise<WebAssembly.Module | BufferSource>;
}

/** The worker program as text. */
declare module '#worker/*' {
  const program: string;
  export default program;
}

/** The probes of `stonechat bench`, likewise. */
declare module '#bench-kernels' {
  export { kernelCode } from '#train-kernels';
}

/** The model that comes with the package. */
declare module '#default-model' {
  export { defaultModel } from '../entry/default-model.js';
}
