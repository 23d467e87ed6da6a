import { SIMD } from '../lanes';
import { exp, normal, storeExp, tanh } from '../math';
import { add, div, entry, get, greater, lesser, mul, put, sub } from '../vector';

// Gradients of activation.ts, element by element, rows first … end, each of n elements. Strides in elements; a gradient may lie
// where dy or x (gate, up) lies.

const SILU: i32 = 0, GELU: i32 = 1, GELU_ERF: i32 = 2, TANH: i32 = 3;
/** sqrt(8 / pi) and 0.044715 times that. */
const GELU_A: f32 = 1.5957691216057308, GELU_B: f32 = 0.044715 * 1.5957691216057308;
const NUMBERS = memory.data<f32>([1, -1, 1e30, GELU_A, -GELU_A, GELU_B, 3 * GELU_B, 16, -16, -0.5, 0.3989422804014327]);
const ONE: usize = 0, MINUS_ONE: usize = 1, LARGEST: usize = 2, A: usize = 3, MINUS_A: usize = 4, B: usize = 5, B_THRICE: usize = 6;
const STEEP_END: usize = 7, STEEP_BEGIN: usize = 8, MINUS_HALF: usize = 9, DENSITY: usize = 10;

/** dx = dy silu'(x) */
export function silu_f32_grad(dx: usize, dy: usize, x: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(SILU, dx, dy, x, n, dxStride, dyStride, xStride, first, end);
}

/** dx = dy gelu'(x), tanh form */
export function gelu_f32_grad(dx: usize, dy: usize, x: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(GELU, dx, dy, x, n, dxStride, dyStride, xStride, first, end);
}

/** dx = dy gelu'(x), exact form */
export function gelu_erf_f32_grad(dx: usize, dy: usize, x: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(GELU_ERF, dx, dy, x, n, dxStride, dyStride, xStride, first, end);
}

/** dx = dy (1 - tanh(x)^2) */
export function tanh_f32_grad(dx: usize, dy: usize, x: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  activateRows(TANH, dx, dy, x, n, dxStride, dyStride, xStride, first, end);
}

/** dgate = (dy up) silu'(gate), dup = dy silu(gate) */
export function silu_mul_f32_grad(dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, n: i32, dgateStride: i32, dupStride: i32, dyStride: i32, gateStride: i32, upStride: i32, first: i32, end: i32): void {
  gateRows(SILU, dgate, dup, dy, gate, up, n, dgateStride, dupStride, dyStride, gateStride, upStride, first, end);
}

/** dgate = (dy up) gelu'(gate), dup = dy gelu(gate), tanh form */
export function gelu_mul_f32_grad(dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, n: i32, dgateStride: i32, dupStride: i32, dyStride: i32, gateStride: i32, upStride: i32, first: i32, end: i32): void {
  gateRows(GELU, dgate, dup, dy, gate, up, n, dgateStride, dupStride, dyStride, gateStride, upStride, first, end);
}

/**
 * SiLU and GELU (tanh form) are x s with s = 1 / (1 + e), e = exp(-u); u = x, or u = x (a + b x^2). This is e, kept finite so
 * that e s gives 1 - s with all its digits. `kind` is a constant of the caller's.
 */
// @ts-ignore: decorator
@inline
function odds<T>(kind: i32, x: T): T {
  return finite<T>(exp<T>(exponent<T>(kind, x)));
}

// @ts-ignore: decorator
@inline
function finite<T>(e: T): T { return lesser<T>(e, entry<T>(NUMBERS, LARGEST)); }

// @ts-ignore: decorator
@inline
function exponent<T>(kind: i32, x: T): T {
  const factor = kind == SILU ? entry<T>(NUMBERS, MINUS_ONE) : sub<T>(entry<T>(NUMBERS, MINUS_A), mul<T>(mul<T>(x, x), entry<T>(NUMBERS, B)));
  return mul<T>(factor, x);
}

// @ts-ignore: decorator
@inline
function share<T>(odds: T): T {
  return div<T>(entry<T>(NUMBERS, ONE), add<T>(entry<T>(NUMBERS, ONE), odds));
}

/** The slope of x s: s (1 + (1 - s) x u'). */
// @ts-ignore: decorator
@inline
function slopeOfShare<T>(kind: i32, x: T, e: T, s: T): T {
  let steep = x;
  if (kind == GELU) {
    const near = greater<T>(lesser<T>(x, entry<T>(NUMBERS, STEEP_END)), entry<T>(NUMBERS, STEEP_BEGIN)); // the slope is 1 or 0 beyond
    steep = mul<T>(add<T>(entry<T>(NUMBERS, A), mul<T>(mul<T>(near, near), entry<T>(NUMBERS, B_THRICE))), near);
  }
  return mul<T>(s, add<T>(entry<T>(NUMBERS, ONE), mul<T>(mul<T>(e, s), steep)));
}

/** P(x) + x p(x), the normal distribution function and its density. */
// @ts-ignore: decorator
@inline
function geluErfSlope<T>(x: T): T {
  const density = mul<T>(exp<T>(mul<T>(mul<T>(x, x), entry<T>(NUMBERS, MINUS_HALF))), entry<T>(NUMBERS, DENSITY));
  return add<T>(normal<T>(x), mul<T>(x, density));
}

/** 1 - tanh(x)^2 = (1 - t) (1 + t) */
// @ts-ignore: decorator
@inline
function tanhSlope<T>(x: T): T {
  const t = tanh<T>(x);
  return mul<T>(sub<T>(entry<T>(NUMBERS, ONE), t), add<T>(entry<T>(NUMBERS, ONE), t));
}

/** `kind` is a constant of the caller's, so one branch is left. */
// @ts-ignore: decorator
@inline
function slope<T>(kind: i32, x: T): T {
  if (kind == GELU_ERF) return geluErfSlope<T>(x);
  if (kind == TANH) return tanhSlope<T>(x);
  const e = odds<T>(kind, x);
  return slopeOfShare<T>(kind, x, e, share<T>(e));
}

/** Four vectors, as `slope` would make them; see storeExp. All is read before anything is written, because dx may lie there. */
// @ts-ignore: decorator
@inline
function activateFour(kind: i32, dx: usize, dy: usize, x: usize): void {
  const a = v128.load(x), b = v128.load(x, 16), c = v128.load(x, 32), d = v128.load(x, 48);
  const da = v128.load(dy), db = v128.load(dy, 16), dc = v128.load(dy, 32), dd = v128.load(dy, 48);
  storeExp(dx, exponent<v128>(kind, a), exponent<v128>(kind, b), exponent<v128>(kind, c), exponent<v128>(kind, d));
  finish(kind, dx, da, a), finish(kind, dx + 16, db, b), finish(kind, dx + 32, dc, c), finish(kind, dx + 48, dd, d);
}

// @ts-ignore: decorator
@inline
function finish(kind: i32, dx: usize, dy: v128, x: v128): void {
  const e = finite<v128>(v128.load(dx));
  v128.store(dx, f32x4.mul(dy, slopeOfShare<v128>(kind, x, e, share<v128>(e))));
}

// @ts-ignore: decorator
@inline
function activateRows(kind: i32, dx: usize, dy: usize, x: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = dx + ((row * <usize>dxStride) << 2), gradient = dy + ((row * <usize>dyStride) << 2), from = x + ((row * <usize>xStride) << 2);
    let i = 0;
    if (SIMD) {
      if (kind == SILU || kind == GELU) {
        for (; i + 16 <= n; i += 16, to += 64, gradient += 64, from += 64) activateFour(kind, to, gradient, from);
      }
      for (; i + 4 <= n; i += 4, to += 16, gradient += 16, from += 16) put<v128>(to, mul<v128>(get<v128>(gradient), slope<v128>(kind, get<v128>(from))));
    }
    for (; i < n; ++i, to += 4, gradient += 4, from += 4) put<f32>(to, get<f32>(gradient) * slope<f32>(kind, get<f32>(from)));
  }
}

// @ts-ignore: decorator
@inline
function gateRows(kind: i32, dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, n: i32, dgateStride: i32, dupStride: i32, dyStride: i32, gateStride: i32, upStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    const toGate = dgate + ((row * <usize>dgateStride) << 2), toUp = dup + ((row * <usize>dupStride) << 2);
    const gradient = dy + ((row * <usize>dyStride) << 2), gates = gate + ((row * <usize>gateStride) << 2), ups = up + ((row * <usize>upStride) << 2);
    const stop = <usize>n << 2;
    let at: usize = 0;
    if (SIMD) {
      for (; at + 64 <= stop; at += 64) gateFour(kind, toGate + at, toUp + at, gradient + at, gates + at, ups + at);
      for (; at + 16 <= stop; at += 16) gateGrad<v128>(kind, toGate + at, toUp + at, gradient + at, gates + at, ups + at);
    }
    for (; at < stop; at += 4) gateGrad<f32>(kind, toGate + at, toUp + at, gradient + at, gates + at, ups + at);
  }
}

/** As activateFour. */
// @ts-ignore: decorator
@inline
function gateFour(kind: i32, dgate: usize, dup: usize, dy: usize, gate: usize, up: usize): void {
  const a = v128.load(gate), b = v128.load(gate, 16), c = v128.load(gate, 32), d = v128.load(gate, 48);
  const da = v128.load(dy), db = v128.load(dy, 16), dc = v128.load(dy, 32), dd = v128.load(dy, 48);
  const ua = v128.load(up), ub = v128.load(up, 16), uc = v128.load(up, 32), ud = v128.load(up, 48);
  storeExp(dgate, exponent<v128>(kind, a), exponent<v128>(kind, b), exponent<v128>(kind, c), exponent<v128>(kind, d));
  const ea = v128.load(dgate), eb = v128.load(dgate, 16), ec = v128.load(dgate, 32), ed = v128.load(dgate, 48);
  finishGate<v128>(kind, dgate, dup, da, a, ua, finite<v128>(ea)), finishGate<v128>(kind, dgate + 16, dup + 16, db, b, ub, finite<v128>(eb));
  finishGate<v128>(kind, dgate + 32, dup + 32, dc, c, uc, finite<v128>(ec)), finishGate<v128>(kind, dgate + 48, dup + 48, dd, d, ud, finite<v128>(ed));
}

// @ts-ignore: decorator
@inline
function gateGrad<T>(kind: i32, dgate: usize, dup: usize, dy: usize, gate: usize, up: usize): void {
  const x = get<T>(gate);
  finishGate<T>(kind, dgate, dup, get<T>(dy), x, get<T>(up), odds<T>(kind, x));
}

// @ts-ignore: decorator
@inline
function finishGate<T>(kind: i32, dgate: usize, dup: usize, dy: T, x: T, up: T, e: T): void {
  const s = share<T>(e);
  put<T>(dgate, mul<T>(mul<T>(dy, up), slopeOfShare<T>(kind, x, e, s)));
  put<T>(dup, mul<T>(dy, mul<T>(x, s)));
}
