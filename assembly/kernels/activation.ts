import { SIMD } from '../lanes';
import { exp, gated, geluErf, geluExponent, siluExponent, storeExp, tanh } from '../math';
import { get, mul, put } from '../vector';

// Element by element, rows first … end, each of n elements; y may be x (or gate). Strides in elements.

const SILU: i32 = 0, GELU: i32 = 1, GELU_ERF: i32 = 2, TANH: i32 = 3;

/** y = x sigmoid(x) */
export function silu_f32(y: usize, x: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(SILU, y, x, 0, n, yStride, xStride, 0, first, end);
}

/** y = GELU(x), tanh form (`gelu_new`, `gelu_pytorch_tanh`) */
export function gelu_f32(y: usize, x: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(GELU, y, x, 0, n, yStride, xStride, 0, first, end);
}

/** y = GELU(x), exact form */
export function gelu_erf_f32(y: usize, x: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(GELU_ERF, y, x, 0, n, yStride, xStride, 0, first, end);
}

/** y = tanh(x) */
export function tanh_f32(y: usize, x: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(TANH, y, x, 0, n, yStride, xStride, 0, first, end);
}

/** y = SiLU(gate) up, the gate of SwiGLU */
export function silu_mul_f32(y: usize, gate: usize, up: usize, n: i32, yStride: i32, gateStride: i32, upStride: i32, first: i32, end: i32): void {
  activateRows(SILU, y, gate, up, n, yStride, gateStride, upStride, first, end);
}

/** y = GELU(gate) up, tanh form, the gate of GeGLU */
export function gelu_mul_f32(y: usize, gate: usize, up: usize, n: i32, yStride: i32, gateStride: i32, upStride: i32, first: i32, end: i32): void {
  activateRows(GELU, y, gate, up, n, yStride, gateStride, upStride, first, end);
}

/** `kind` is a constant of the caller's, so one branch is left; `up` 0: no factor. */
// @ts-ignore: decorator
@inline
function activate<T>(kind: i32, y: usize, x: usize, up: usize): void {
  const value = get<T>(x);
  let result: T;
  if (isSigmoid(kind)) result = gated<T>(value, exp<T>(exponent<T>(kind, value)));
  else if (kind == GELU_ERF) result = geluErf<T>(value);
  else result = tanh<T>(value);
  put<T>(y, up ? mul<T>(result, get<T>(up)) : result);
}

// @ts-ignore: decorator
@inline
function isSigmoid(kind: i32): bool {
  return kind == SILU || kind == GELU;
}

// @ts-ignore: decorator
@inline
function exponent<T>(kind: i32, x: T): T {
  return kind == SILU ? siluExponent<T>(x) : geluExponent<T>(x);
}

/** Four vectors of SiLU or GELU, as `activate` would make them; see storeExp. */
// @ts-ignore: decorator
@inline
function activateFour(kind: i32, y: usize, x: usize, up: usize): void {
  const a = v128.load(x), b = v128.load(x, 16), c = v128.load(x, 32), d = v128.load(x, 48);
  storeExp(y, exponent<v128>(kind, a), exponent<v128>(kind, b), exponent<v128>(kind, c), exponent<v128>(kind, d));
  finish(y, a, up, 0), finish(y, b, up, 16), finish(y, c, up, 32), finish(y, d, up, 48);
}

// @ts-ignore: decorator
@inline
function finish(y: usize, x: v128, up: usize, at: usize): void {
  const result = gated<v128>(x, v128.load(y + at));
  v128.store(y + at, up ? f32x4.mul(result, v128.load(up + at)) : result);
}

// @ts-ignore: decorator
@inline
function activateRows(kind: i32, y: usize, x: usize, up: usize, n: i32, yStride: i32, xStride: i32, upStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = y + ((row * <usize>yStride) << 2);
    let from = x + ((row * <usize>xStride) << 2);
    let factor = up ? up + ((row * <usize>upStride) << 2) : 0;
    let i = 0;
    if (SIMD) {
      if (isSigmoid(kind)) {
        for (; i + 16 <= n; i += 16, to += 64, from += 64, factor += 64) activateFour(kind, to, from, up ? factor : 0);
      }
      for (; i + 4 <= n; i += 4, to += 16, from += 16, factor += 16) activate<v128>(kind, to, from, up ? factor : 0);
    }
    for (; i < n; ++i, to += 4, from += 4, factor += 4) activate<f32>(kind, to, from, up ? factor : 0);
  }
}
