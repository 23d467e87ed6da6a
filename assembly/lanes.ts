/**
 * The only file that names an instruction set.
 *
 * `SIMD`, `RELAXED` and `THREADS` are compile-time constants: a branch on one of them disappears from the
 * modules that lack it, so one source gives the scalar, simd and relaxed builds. Every build must give the
 * same bits: f32 sums follow the one order written in each kernel, multiply and add stay separate (no fused
 * form), and integer dots are exact.
 */
export const SIMD: bool = ASC_FEATURE_SIMD || ASC_FEATURE_RELAXED_SIMD;
export const RELAXED: bool = ASC_FEATURE_RELAXED_SIMD;
export const THREADS: bool = ASC_FEATURE_THREADS;
