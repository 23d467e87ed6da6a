import { kernelCode } from '#train-kernels';
import { compileCode } from './compile.js';
import type { Build } from './host.js';

/** The module of the training kernels, the companion of `Host.compile`. Only training entries import this. @throws StonechatError `unavailable`. */
export const compileTrainKernels = (build: Build, shared: boolean): Promise<WebAssembly.Module> => compileCode(build, () => kernelCode(build, shared));
