import { SIMD } from '../lanes';
import { exp_f64, log_f64 } from '../math';
import { add, get, mul, put, splat, sub } from '../vector';

// Kinds of frequency scaling, as rope_frequencies takes them.
const LINEAR: i32 = 1, YARN: i32 = 2, LLAMA3: i32 = 3, YARN_EXACT: i32 = 4;

/**
 * Writes the dims/2 rotation frequencies base^(-2i/dims) as f64, radians per position, scaled by `kind`:
 * 0 none; 1 linear: divided by factor (low, high, originalContext unused);
 * 2 YaRN (Peng et al. 2023, equations 23 and 25; the rounding of the bounds as in llama.cpp and Hugging Face):
 *   low = beta_slow, high = beta_fast, numbers of rotations over the original context;
 * 3 Llama 3.1: low = low_freq_factor, high = high_freq_factor, originalContext in tokens;
 * 4 YaRN without rounding the bounds (Hugging Face's `truncate: false`).
 */
export function rope_frequencies(out: usize, dims: i32, base: f64, kind: i32, factor: f64, low: f64, high: f64, originalContext: f64): void {
  const step = (2 * log_f64(base)) / <f64>dims;
  for (let i = 0; i < dims / 2; ++i) {
    const plain = exp_f64(-step * <f64>i);
    let frequency = plain;
    if (kind == LINEAR) frequency = plain / factor;
    else if (kind == YARN || kind == YARN_EXACT) frequency = mix(plain / factor, plain, yarnShare(i, dims, step, low, high, originalContext, kind == YARN));
    else if (kind == LLAMA3) frequency = mix(plain / factor, plain, llama3Share(plain, low, high, originalContext));
    store<f64>(out + (<usize>i << 3), frequency);
  }
}

/** The factor on cos and sin that a kind of scaling asks for: YaRN's 0.1 ln(factor) + 1, else 1. */
export function rope_attention_factor(kind: i32, factor: f64): f64 {
  return (kind == YARN || kind == YARN_EXACT) && factor > 1 ? 0.1 * log_f64(factor) + 1 : 1;
}

function mix(scaled: f64, plain: f64, share: f64): f64 {
  return scaled * (1 - share) + plain * share;
}

function clampUnit(x: f64): f64 {
  return NativeMath.min(1, NativeMath.max(0, x));
}

/** How much of the plain frequency pair i keeps: 1 up to the pair that turns beta_fast times, 0 from beta_slow on. */
function yarnShare(i: i32, dims: i32, step: f64, slow: f64, fast: f64, context: f64, rounded: bool): f64 {
  const first = pairOfTurns(fast, step, context), last = pairOfTurns(slow, step, context);
  const from = NativeMath.max(0, rounded ? NativeMath.floor(first) : first);
  const to = NativeMath.min(<f64>(dims - 1), rounded ? NativeMath.ceil(last) : last);
  return 1 - clampUnit((<f64>i - from) / NativeMath.max(0.001, to - from));
}

/** The (fractional) pair whose rotation makes `turns` turns over the original context. */
function pairOfTurns(turns: f64, step: f64, context: f64): f64 {
  return log_f64(context / (turns * 2 * NativeMath.PI)) / step;
}

/** 1 for wavelengths below context / high, 0 above context / low, linear in the number of turns between. */
function llama3Share(frequency: f64, low: f64, high: f64, context: f64): f64 {
  const turns = (context * frequency) / (2 * NativeMath.PI);
  return clampUnit((turns - low) / (high - low));
}

/**
 * cos and sin of position frequency, times attentionFactor, for positions[i] (i32), i in 0 … m: out is f32 [m][2 half], a row
 * holding half cosines, then half sines. Computed in f64 (frequencies: f64 [half]), rounded once.
 */
export function rope_angles(out: usize, frequencies: usize, half: i32, positions: usize, m: i32, attentionFactor: f64): void {
  for (let i = 0; i < m; ++i, positions += 4) {
    const position = <f64>load<i32>(positions);
    for (let j = 0; j < half; ++j, out += 4) {
      NativeMath.sincos(position * load<f64>(frequencies + (<usize>j << 3)));
      store<f32>(out, <f32>(NativeMath.sincos_cos * attentionFactor));
      store<f32>(out + (<usize>half << 2), <f32>(NativeMath.sincos_sin * attentionFactor));
    }
    out += <usize>half << 2;
  }
}

/**
 * Rotates, in place, the first `dims` elements of each of `heads` consecutive heads of headDim in rows first … end of x.
 * Row i takes angles row rows[i] (i32), or row i where `rows` is 0 (see rope_angles, half = dims/2). style 0: pairs (2i, 2i+1);
 * 1: pairs (i, i + dims/2), "neox". `inverse` 1 rotates back, which is also the gradient: the transpose of a rotation.
 */
export function rope_f32(x: usize, angles: usize, rows: usize, heads: i32, headDim: i32, dims: i32, style: i32, inverse: i32, stride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    const from = rows ? <usize>load<u32>(rows + (row << 2)) : row;
    rotateRow(x + ((row * <usize>stride) << 2), angles + ((from * <usize>dims) << 2), heads, headDim, dims / 2, style, inverse ? -1 : 1);
  }
}

/** `sign` (1 or -1) is that of the angles. */
function rotateRow(x: usize, cos: usize, heads: i32, headDim: i32, half: i32, style: i32, sign: f32): void {
  for (let head = 0; head < heads; ++head, x += <usize>headDim << 2) {
    if (style == 0) rotateNeighbours(x, cos, half, sign);
    else rotateHalves(x, cos, half, sign);
  }
}

// @ts-ignore: decorator
@inline
function rotateHalf<T>(x: usize, cos: usize, bytes: usize, sign: T): void {
  const a = get<T>(x), b = get<T>(x + bytes), c = get<T>(cos), s = mul<T>(get<T>(cos + bytes), sign);
  put<T>(x, sub<T>(mul<T>(a, c), mul<T>(b, s)));
  put<T>(x + bytes, add<T>(mul<T>(a, s), mul<T>(b, c)));
}

function rotateHalves(x: usize, cos: usize, half: i32, sign: f32): void {
  const bytes = <usize>half << 2;
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= half; i += 4, x += 16, cos += 16) rotateHalf<v128>(x, cos, bytes, splat<v128>(sign));
  }
  for (; i < half; ++i, x += 4, cos += 4) rotateHalf<f32>(x, cos, bytes, sign);
}

function rotateNeighbours(x: usize, cos: usize, half: i32, sign: f32): void {
  const bytes = <usize>half << 2;
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= half; i += 4, x += 32, cos += 16) rotateFourPairs(x, v128.load(cos), mul<v128>(v128.load(cos + bytes), splat<v128>(sign)));
  }
  for (; i < half; ++i, x += 8, cos += 4) {
    const a = load<f32>(x), b = load<f32>(x, 4), c = load<f32>(cos), s = load<f32>(cos + bytes) * sign;
    store<f32>(x, a * c - b * s);
    store<f32>(x, a * s + b * c, 4);
  }
}

// @ts-ignore: decorator
@inline
function rotateFourPairs(x: usize, cos: v128, sin: v128): void {
  const low = v128.load(x), high = v128.load(x, 16);
  const a = i32x4.shuffle(low, high, 0, 2, 4, 6), b = i32x4.shuffle(low, high, 1, 3, 5, 7);
  const p = f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin));
  const q = f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos));
  v128.store(x, i32x4.shuffle(p, q, 0, 4, 1, 5));
  v128.store(x, i32x4.shuffle(p, q, 2, 6, 3, 7), 16);
}
