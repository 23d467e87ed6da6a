// ggml's own matrix products behind a few exports: its vec_dot functions in the loop of ggml_compute_forward_mul_mat_one_chunk
// (16 rows x 16 tokens), activations quantised first, one thread. Compiled by build.sh from a checkout of llama.cpp.
#include <string.h>
#include "ggml-impl.h"
#include "ggml-cpu/quants.h"
#include "ggml-cpu/vec.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define TILE 16

float ggml_table_f32_f16[1 << 16];
float ggml_table_f32_e8m0_half[1 << 8];
float ggml_table_f32_ue4m3[1 << 8];

enum { Q8_0, Q4_0, Q4_K, Q6_K, F32, F16 };
static const int BLOCK[] = { 32, 32, 256, 256, 1, 1 };
static const int BYTES[] = { 34, 18, 144, 210, 4, 2 };

EXPORT("init") void init(void) {
    for (int i = 0; i < 1 << 16; i++) ggml_table_f32_f16[i] = ggml_compute_fp16_to_fp32((ggml_fp16_t)i);
}

extern unsigned char __heap_base;
EXPORT("heap") unsigned long heap(void) { return ((unsigned long)&__heap_base + 63) & ~63ul; }

static int active_type(int type) { return type == Q8_0 || type == Q4_0 ? Q8_0 : type == F32 ? F32 : type == F16 ? F16 : Q4_K; }
static unsigned long active_bytes(int type, long k) {
    switch (active_type(type)) { case Q8_0: return k / 32 * 34; case F32: return k * 4; case F16: return k * 2; default: return k / 256 * sizeof(block_q8_K); }
}
EXPORT("row_bytes") unsigned long row_bytes(int type, long k) { return (unsigned long)(k / BLOCK[type]) * BYTES[type]; }
EXPORT("active_row_bytes") unsigned long active_row_bytes(int type, long k) { return active_bytes(type, k); }

static void quantise(int type, const float *x, void *y, long k) {
    switch (active_type(type)) {
        case Q8_0: quantize_row_q8_0(x, y, k); break;
        case F32: memcpy(y, x, k * 4); break;
        case F16: for (long i = 0; i < k; i++) ((ggml_fp16_t *)y)[i] = ggml_compute_fp32_to_fp16(x[i]); break;
        default: quantize_row_q8_K(x, y, k);
    }
}

static void dot(int type, int k, float *s, const void *w, const void *x) {
    switch (type) {
        case Q8_0: ggml_vec_dot_q8_0_q8_0(k, s, 0, w, 0, x, 0, 1); break;
        case Q4_0: ggml_vec_dot_q4_0_q8_0(k, s, 0, w, 0, x, 0, 1); break;
        case Q4_K: ggml_vec_dot_q4_K_q8_K(k, s, 0, w, 0, x, 0, 1); break;
        case Q6_K: ggml_vec_dot_q6_K_q8_K(k, s, 0, w, 0, x, 0, 1); break;
        case F32: ggml_vec_dot_f32(k, s, 0, w, 0, x, 0, 1); break;
        case F16: ggml_vec_dot_f16(k, s, 0, (ggml_fp16_t *)w, 0, (ggml_fp16_t *)x, 0, 1); break;
    }
}

EXPORT("quantise_rows") void quantise_rows(int type, const float *x, char *active, long m, long k) {
    for (long i = 0; i < m; i++) quantise(type, x + i * k, active + i * active_bytes(type, k), k);
}

// y [m, n] = x [m, k] times w [n, k] transposed; `active` holds the quantised rows of x.
EXPORT("mul_mat") void mul_mat(int type, float *y, const char *active, const char *w, long m, long n, long k) {
    const unsigned long stride = active_bytes(type, k), row = row_bytes(type, k);
    float tile[TILE];
    for (long i1 = 0; i1 < m; i1 += TILE)
        for (long i0 = 0; i0 < n; i0 += TILE)
            for (long i = i1; i < i1 + TILE && i < m; i++) {
                const long end = i0 + TILE < n ? i0 + TILE : n;
                for (long j = i0; j < end; j++) dot(type, k, &tile[j - i0], w + j * row, active + i * stride);
                memcpy(y + i * n + i0, tile, (end - i0) * sizeof(float));
            }
}
