// What is compared with what, and how far ahead stonechat wants to be: ours / theirs in tokens per second.
const page = 'stonechat-page';
const simd = 'stonechat-page-simd';
const node = 'stonechat';
const goal = (section, model, ours, theirs, prefill, decode, oursThreads = 1, theirsThreads = 1) => ({ section, model, ours, theirs, prefill, decode, oursThreads, theirsThreads });

export const GOALS = [
  goal('native-135M', 'smol135M-Q4_0', node, 'node-llama-cpp', 0.6, 1.1),
  goal('native-135M', 'smol135M-Q8_0', node, 'node-llama-cpp', 1.0, 1.1),
  goal('native-135M', 'smol135M-F16', node, 'node-llama-cpp', 0.5, 0.9),
  goal('native-1B', 'llama1B-Q4_0', node, 'node-llama-cpp', 0.6, 1.1),
  goal('native-1B', 'llama1B-Q8_0', node, 'node-llama-cpp', 1.0, 1.1),
  goal('native-1B', 'llama1B-Q4_K_M', node, 'node-llama-cpp', 0.7, 1.0),
  goal('threads', 'smol135M-Q4_0', node, node, 1.8, 1.6, 2, 1),
  goal('threads', 'llama1B-Q4_0', node, node, 1.8, 1.6, 2, 1),
  goal('transformers', 'smol135M-Q8_0', page, 'transformers', 3, 5),
  goal('wllama-135M', 'smol135M-Q4_0', page, 'wllama', 30, 15),
  goal('wllama-135M', 'smol135M-Q4_0', simd, 'wllama', 10, 5),
  goal('wllama-135M', 'smol135M-Q8_0', page, 'wllama', 12, 6),
  goal('wllama-135M', 'smol135M-Q8_0', simd, 'wllama', 10, 5),
  goal('wllama-135M', 'smol135M-F16', page, 'wllama', 10, 8),
  goal('wllama-1B', 'llama1B-Q4_K_M', page, 'wllama', 8, 5),
];

export const KERNEL_SECTIONS = ['kernels-ggml', 'kernels-f32'];
export const SECTIONS = [...new Set(GOALS.map(({ section }) => section)), ...KERNEL_SECTIONS];
/** Rivals whose starts take minutes: two rounds are enough, the second without the prompt of 512. */
export const SLOW = new Set(['wllama']);
/** And models with which even one prompt of 512 takes minutes. */
export const WITHOUT_512 = new Set(['wllama llama1B-Q4_K_M']);

/** ggml's kernels built properly, 2048 x 2048: how many times faster ours are to be. */
export const KERNEL_GOALS = [
  { type: 'q8_0', gemm: 5, gemv: 1.5 },
  { type: 'q4_0', gemm: 5, gemv: 3 },
  { type: 'q4_K', gemm: 5, gemv: 3 },
  { type: 'q6_K', gemm: 5, gemv: 3 },
  { type: 'f32', gemm: 2 },
];
/** Over onnxruntime-web and tfjs-wasm. */
export const F32_GOAL = 1.35;
