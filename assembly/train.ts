// Export list of the training kernels, nothing else: a second module on the same memory as index.ts, loaded only by `stonechat/train`.
// Its read-only tables lie at 32 KiB and up (scripts/kernel-sets.mjs, TABLES), those of index.ts below.
export * from './sets/train';
export { matmul_grad_scratch_bytes, matmul_grad_x_items, matmul_f32_grad_w, matmul_f32_grad_w_fused, matmul_f32_f32_grad_x_fused } from './kernels/matmul_grad';
export { matmul_f32_f32_fused } from './kernels/matmul';
export { cross_entropy_f32 } from './kernels/cross_entropy';
export {
  squared_error_f32, squared_error_f32_grad, logistic_loss_f32, logistic_loss_f32_grad, gaussian_f32, gaussian_f32_grad, gaussian_kl_f32, gaussian_kl_f32_grad,
} from './kernels/losses';
export { embed_f32_grad } from './kernels/embed_grad';
export { rmsnorm_f32_grad, rmsnorm_f32_grad_w } from './kernels/rmsnorm';
export { layernorm_f32_grad, layernorm_f32_grad_w } from './kernels/layernorm';
export { bias_f32_grad } from './kernels/bias';
export { silu_f32_grad, gelu_f32_grad, gelu_erf_f32_grad, tanh_f32_grad, silu_mul_f32_grad, gelu_mul_f32_grad } from './kernels/activation_grad';
export { scatter_rows_f32 } from './kernels/rows';
export { attention_sequence_scratch_bytes, attention_sequence_f32 } from './kernels/attention_sequence';
export { attention_sequence_f32_grad } from './kernels/attention_sequence_grad';
export { adamw_f32, sum_squares_f32 } from './kernels/adamw';
export { zero_f32 } from './kernels/elements';
export { dropout_f32 } from './kernels/dropout';
export { scale_f32, scale_rows_f32 } from './kernels/scale';
export { learn_count, learn_rehash, learn_begin, learn_best, learn_merge } from './text/learn';
