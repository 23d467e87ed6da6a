// Export list of the kernels that every model needs, nothing else; those of each weight type are in sets/, written by scripts/kernel-sets.mjs.
// Grouped by room; one line per file.
export { build_kind } from './kernels/build';
export { barrier } from './kernels/barrier';
export { quantize_q8, q8_row_bytes } from './kernels/quantize';
export { matmul_scratch_bytes } from './kernels/matmul';
export { exp_f64, log_f64 } from './math';
export { rmsnorm_f32 } from './kernels/rmsnorm';
export { layernorm_f32 } from './kernels/layernorm';
export { add_f32 } from './kernels/add';
export { silu_f32, gelu_f32, gelu_erf_f32, tanh_f32, silu_mul_f32, gelu_mul_f32 } from './kernels/activation';
export { softmax_f32, probabilities_f32 } from './kernels/softmax';
export { rope_frequencies, rope_attention_factor, rope_angles, rope_f32 } from './kernels/rope';
export { kv_page_tokens, kv_bytes_f32, kv_bytes_f16, kv_bytes_q8_0, kv_bytes_q4_0, kv_store_f32, kv_store_f16, kv_store_q8_0, kv_store_q4_0 } from './kernels/kv';
export {
  attention_tile_rows, attention_scratch_bytes_f32, attention_scratch_bytes_f16, attention_scratch_bytes_q8_0, attention_scratch_bytes_q4_0,
  attention_f32_f32, attention_f32_f16, attention_f32_q8_0, attention_f32_q4_0,
} from './kernels/attention';
export { gather_rows_f32 } from './kernels/rows';
export { argmax_f32 } from './kernels/argmax';
export { topk_f32 } from './kernels/topk';
export { logits_stats_f32 } from './kernels/logits_stats';
export { hash_words } from './kernels/hash';
export { text_tokens, text_longest, text_ranks, text_index, text_find, text_merges, text_byte_pairs } from './text/vocabulary';
export { text_encode, text_encode_spans, text_split } from './text/encode';
