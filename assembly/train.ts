// Export list of the training kernels, nothing else: a second module on the same memory as index.ts, loaded only by `stonechat/train`.
// Its read-only tables lie at 32 KiB and up (asconfig.train.json, memoryBase), those of index.ts below.
export { build_kind as train_build_kind } from './kernels/build';
export {
  matmul_grad_scratch_bytes, matmul_grad_x_items, matmul_f32_grad_w,
  matmul_f32_f32_grad_x, matmul_f32_f16_grad_x, matmul_f32_bf16_grad_x, matmul_f32_q8_0_grad_x, matmul_f32_q4_0_grad_x, matmul_f32_q4_1_grad_x, matmul_f32_q5_0_grad_x, matmul_f32_q5_1_grad_x, matmul_f32_q4_K_grad_x, matmul_f32_q5_K_grad_x, matmul_f32_q6_K_grad_x,
} from './kernels/matmul_grad';
