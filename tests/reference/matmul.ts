import { type Block, type Quantised, decodeBlocks } from './dequantize.js';
import { type QuantisedRow, quantize } from './quantize.js';

const f32 = Math.fround;

/** y[m][n] = x[m][k] * w[n][k]^T in f64. */
export function matmul(x: Float32Array, w: Float32Array, m: number, n: number, k: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += x[Math.floor(at / n) * k + i]! * w[(at % n) * k + i]!;
    return sum;
  });
}

/** The same in the kernels' written order: f32, k ascending, every operation rounded. */
export function matmulInOrder(x: Float32Array, w: Float32Array, m: number, n: number, k: number): Float32Array {
  return Float32Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum = f32(sum + f32(x[Math.floor(at / n) * k + i]! * w[(at % n) * k + i]!));
    return sum;
  });
}

function term(block: Block, symmetric: boolean, codes: Int8Array, d: number): number {
  const sum = (first: number, end: number, of: (i: number) => number) => Array.from({ length: end - first }, (_, i) => of(first + i)).reduce((a, b) => a + b, 0);
  const dot = (first: number) => sum(first, first + 16, (i) => block.codes[i]! * codes[i]!);
  const isum = block.factors[0] * dot(0) + block.factors[1] * dot(16);
  if (symmetric) return f32(d * f32(block.scale * isum));
  return f32(f32(block.scale * f32(d * isum)) + f32(block.minimum * f32(d * sum(0, 32, (i) => codes[i]!))));
}

/** q4_K and q5_K: 256 columns, whose activations begin at block `first`. */
function superTerm(eight: Block[], row: QuantisedRow, first: number): number {
  let terms = 0, minima = 0;
  eight.forEach(({ codes, integers }, i) => {
    const isum = codes.reduce((total, code, l) => total + code * row.codes[32 * (first + i) + l]!, 0);
    terms = f32(terms + f32(row.d[first + i]! * (integers!.scale * isum)));
    minima += integers!.minimum * row.sums[first + i]!;
  });
  const { d, dmin } = eight[0]!.integers!;
  return f32(f32(d * terms) - f32(dmin * f32(row.e[first / 8]! * minima)));
}

/** int8 activations against quantised weights, in the order written in assembly/kernels/matmul_q8.ts. */
export function matmulQ8InOrder(type: Quantised, x: Float32Array, raw: Uint8Array, m: number, n: number, k: number): Float32Array {
  const symmetric = !type.endsWith('_1') && type !== 'q4_K' && type !== 'q5_K';
  const blocks = decodeBlocks(type, raw);
  const perRow = k / 32;
  const rows = Array.from({ length: m }, (_, token) => quantize(x.subarray(token * k, token * k + k)));
  return Float32Array.from({ length: m * n }, (_, at) => {
    const own = rows[Math.floor(at / n)]!, { d, codes } = own, first = (at % n) * perRow;
    let sum = 0;
    if (blocks[0]!.integers) for (let b = 0; b < perRow; b += 8) sum = f32(sum + superTerm(blocks.slice(first + b, first + b + 8), own, b));
    else for (let b = 0; b < perRow; b++) sum = f32(sum + term(blocks[first + b]!, symmetric, codes.subarray(32 * b, 32 * b + 32), d[b]!));
    return sum;
  });
}

/** Gradient of matmul in f64: dx[m][k] = dy[m][n] * w[n][k]. */
export function matmulGradX(dy: ArrayLike<number>, w: ArrayLike<number>, m: number, n: number, k: number): Float64Array {
  return Float64Array.from({ length: m * k }, (_, at) => {
    let sum = 0;
    for (let row = 0; row < n; row++) sum += dy[Math.floor(at / k) * n + row]! * w[row * k + (at % k)]!;
    return sum;
  });
}

/** Gradient of matmul in f64: dw[n][k] = dy[m][n]^T * x[m][k]. */
export function matmulGradW(dy: ArrayLike<number>, x: ArrayLike<number>, m: number, n: number, k: number): Float64Array {
  return Float64Array.from({ length: n * k }, (_, at) => {
    let sum = 0;
    for (let token = 0; token < m; token++) sum += dy[token * n + Math.floor(at / k)]! * x[token * k + (at % k)]!;
    return sum;
  });
}

/** `dx` continued in the kernels' written order: f32, rows of w ascending. */
export function matmulGradXInOrder(dx: Float32Array, dy: Float32Array, w: Float32Array, m: number, n: number, k: number): Float32Array {
  return dx.map((sum, at) => {
    for (let row = 0; row < n; row++) sum = f32(sum + f32(dy[Math.floor(at / k) * n + row]! * w[row * k + (at % k)]!));
    return sum;
  }).subarray(0, m * k);
}

/** `dw` continued in the kernels' written order: f32, tokens ascending. */
export function matmulGradWInOrder(dw: Float32Array, dy: Float32Array, x: Float32Array, m: number, n: number, k: number): Float32Array {
  return dw.map((sum, at) => {
    for (let token = 0; token < m; token++) sum = f32(sum + f32(dy[token * n + Math.floor(at / k)]! * x[token * k + (at % k)]!));
    return sum;
  });
}
