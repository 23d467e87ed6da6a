// Export list of the training kernels, nothing else: a second module on the same memory as index.ts, loaded only by `stonechat/train`.
// Its read-only tables lie at 32 KiB and up (asconfig.train.json, memoryBase), those of index.ts below.
export { build_kind as train_build_kind } from './kernels/build';
