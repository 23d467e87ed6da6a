import { SIMD } from './lanes';
import { abs, add, copySign, div, entry, greater, halfPower, lesser, mul, put, splat, sub, whereLess } from './vector';

/** The exponential of f64, in software: the same bits on every machine. */
export function exp_f64(x: f64): f64 {
  return NativeMath.exp(x);
}

/** The natural logarithm of f64, in software: the same bits on every machine. */
export function log_f64(x: f64): f64 {
  return NativeMath.log(x);
}

/** The numbers of `exp`, in order of use. */
const EXP = memory.data<f32>([
  89, -87.3, 1.4426950408889634, 12582912, 0.693359375, -0.00021219444005469057,
  2 * 0.0013814173871651292, 2 * 0.008368921466171741, 2 * 0.04166840761899948, 2 * 0.1666651964187622, 2 * 0.4999999403953552, 2, 0.5,
]);

/**
 * e to the x, within 1 ulp. Overflow gives Infinity; below e^-86.99 (about 1.7e-38) the result is 0; NaN stays NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to the integer n and leaves it in the low bits. ln 2 is
 * split so that n times its first part is exact. The minimax polynomial (own fit, relative error 3e-9) gives 2 e^r, hence
 * 2^(n-1) as the factor: it stays finite up to the overflow threshold and is 0 for n = -126, the lower clamp.
 */
// @ts-ignore: decorator
@inline
export function exp<T>(x: T): T {
  const inside = greater<T>(lesser<T>(x, entry<T>(EXP, 0)), entry<T>(EXP, 1));
  const shifted = step<T>(inside, entry<T>(EXP, 2), entry<T>(EXP, 3));
  const n = sub<T>(shifted, entry<T>(EXP, 3));
  const r = less<T>(less<T>(inside, n, entry<T>(EXP, 4)), n, entry<T>(EXP, 5));
  let p = step<T>(r, entry<T>(EXP, 6), entry<T>(EXP, 7));
  p = step<T>(p, r, entry<T>(EXP, 8));
  p = step<T>(p, r, entry<T>(EXP, 9));
  p = step<T>(p, r, entry<T>(EXP, 10));
  return expEnd<T>(p, r, shifted, entry<T>(EXP, 11), entry<T>(EXP, 12));
}

/** p x + c: multiply, then add. */
// @ts-ignore: decorator
@inline
function step<T>(p: T, x: T, c: T): T {
  return add<T>(mul<T>(p, x), c);
}

// @ts-ignore: decorator
@inline
function less<T>(x: T, n: T, c: T): T {
  return sub<T>(x, mul<T>(n, c));
}

// @ts-ignore: decorator
@inline
function expEnd<T>(p: T, r: T, shifted: T, two: T, half: T): T {
  const twice = add<T>(add<T>(mul<T>(mul<T>(r, r), p), add<T>(r, r)), two);
  return mul<T>(twice, halfPower<T>(shifted, half));
}

/**
 * `exp` of four vectors, stored at `to`, `to` + 16 and so on. Side by side: one alone is a chain of 20 operations, of which a core's
 * scheduler holds few at once; and each constant is loaded once instead of four times.
 */
// @ts-ignore: decorator
@inline
export function storeExp(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  let k = entry<v128>(EXP, 0), l = entry<v128>(EXP, 1);
  a = greater<v128>(lesser<v128>(a, k), l), b = greater<v128>(lesser<v128>(b, k), l), c = greater<v128>(lesser<v128>(c, k), l), d = greater<v128>(lesser<v128>(d, k), l);
  k = entry<v128>(EXP, 2), l = entry<v128>(EXP, 3);
  const sa = step<v128>(a, k, l), sb = step<v128>(b, k, l), sc = step<v128>(c, k, l), sd = step<v128>(d, k, l);
  let p = sub<v128>(sa, l), q = sub<v128>(sb, l), r = sub<v128>(sc, l), s = sub<v128>(sd, l);
  k = entry<v128>(EXP, 4), a = less<v128>(a, p, k), b = less<v128>(b, q, k), c = less<v128>(c, r, k), d = less<v128>(d, s, k);
  k = entry<v128>(EXP, 5), a = less<v128>(a, p, k), b = less<v128>(b, q, k), c = less<v128>(c, r, k), d = less<v128>(d, s, k);
  p = q = r = s = entry<v128>(EXP, 6);
  for (let at = EXP + 28; at < EXP + 44; at += 4) {
    k = entry<v128>(at, 0);
    p = step<v128>(p, a, k), q = step<v128>(q, b, k), r = step<v128>(r, c, k), s = step<v128>(s, d, k);
  }
  k = entry<v128>(EXP, 11), l = entry<v128>(EXP, 12);
  put<v128>(to, expEnd<v128>(p, a, sa, k, l)), put<v128>(to + 16, expEnd<v128>(q, b, sb, k, l));
  put<v128>(to + 32, expEnd<v128>(r, c, sc, k, l)), put<v128>(to + 48, expEnd<v128>(s, d, sd, k, l));
}

/** The numbers of `exp2`, in order of use. */
const EXP2 = memory.data<f32>([
  -126.2, 12582912, 2 * 0.00015353258640971035, 2 * 0.0013399003073573112, 2 * 0.00961843878030777, 2 * 0.05550331994891167,
  2 * 0.24022647738456726, 2 * 0.6931471824645996, 2, 0.5,
]);

/** 2 to the x for x <= 0, within 1.5 ulp; 1 for 0, 0 below -126, NaN stays NaN. Made as `exp`, at three quarters of its cost. */
// @ts-ignore: decorator
@inline
export function exp2<T>(x: T): T {
  const inside = greater<T>(x, entry<T>(EXP2, 0));
  const shifted = add<T>(inside, entry<T>(EXP2, 1));
  const f = sub<T>(inside, sub<T>(shifted, entry<T>(EXP2, 1)));
  let p = step<T>(f, entry<T>(EXP2, 2), entry<T>(EXP2, 3));
  p = step<T>(p, f, entry<T>(EXP2, 4));
  p = step<T>(p, f, entry<T>(EXP2, 5));
  p = step<T>(p, f, entry<T>(EXP2, 6));
  p = step<T>(p, f, entry<T>(EXP2, 7));
  return mul<T>(step<T>(p, f, entry<T>(EXP2, 8)), halfPower<T>(shifted, entry<T>(EXP2, 9)));
}

/** `exp2` of four vectors, as storeExp. */
// @ts-ignore: decorator
@inline
export function storeExp2(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  let k = entry<v128>(EXP2, 0);
  a = greater<v128>(a, k), b = greater<v128>(b, k), c = greater<v128>(c, k), d = greater<v128>(d, k);
  k = entry<v128>(EXP2, 1);
  const sa = add<v128>(a, k), sb = add<v128>(b, k), sc = add<v128>(c, k), sd = add<v128>(d, k);
  a = sub<v128>(a, sub<v128>(sa, k)), b = sub<v128>(b, sub<v128>(sb, k)), c = sub<v128>(c, sub<v128>(sc, k)), d = sub<v128>(d, sub<v128>(sd, k));
  let p = entry<v128>(EXP2, 2), q = p, r = p, s = p;
  for (let at = EXP2 + 12; at < EXP2 + 36; at += 4) {
    k = entry<v128>(at, 0);
    p = step<v128>(p, a, k), q = step<v128>(q, b, k), r = step<v128>(r, c, k), s = step<v128>(s, d, k);
  }
  k = entry<v128>(EXP2, 9);
  put<v128>(to, mul<v128>(p, halfPower<v128>(sa, k))), put<v128>(to + 16, mul<v128>(q, halfPower<v128>(sb, k)));
  put<v128>(to + 32, mul<v128>(r, halfPower<v128>(sc, k))), put<v128>(to + 48, mul<v128>(s, halfPower<v128>(sd, k)));
}

/** The numbers of `tanh`, in order of use. */
const TANH = memory.data<f32>([
  -0.005717045161873102, 0.02065058797597885, -0.05374349653720856, 0.13331490755081177, -0.3333328366279602, 1, 2, 0.625,
]);

/** Hyperbolic tangent: an odd polynomial (own minimax fit) below 0.625, 1 - 2 / (e^2|x| + 1) from there. */
// @ts-ignore: decorator
@inline
export function tanh<T>(x: T): T {
  const size = abs<T>(x);
  const z = mul<T>(x, x);
  let p = add<T>(mul<T>(z, entry<T>(TANH, 0)), entry<T>(TANH, 1));
  p = add<T>(mul<T>(p, z), entry<T>(TANH, 2));
  p = add<T>(mul<T>(p, z), entry<T>(TANH, 3));
  p = add<T>(mul<T>(p, z), entry<T>(TANH, 4));
  const near = add<T>(x, mul<T>(x, mul<T>(z, p)));
  const far = sub<T>(entry<T>(TANH, 5), div<T>(entry<T>(TANH, 6), add<T>(exp<T>(add<T>(size, size)), entry<T>(TANH, 5))));
  return whereLess<T>(size, entry<T>(TANH, 7), near, copySign<T>(far, x));
}

/** The numbers of SiLU and GELU, in order of use. */
const GATE = memory.data<f32>([0.044715 * 1.5957691216057308, -1.5957691216057308, 1]);

/*
 * SiLU (also called swish) and GELU in its tanh form, 0.5 x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), are x times the
 * sigmoid of x and of 2u: x / (1 + e^exponent), exponent -x and -2u.
 */

// @ts-ignore: decorator
@inline
export function siluExponent<T>(x: T): T {
  return sub<T>(splat<T>(0), x);
}

// @ts-ignore: decorator
@inline
export function geluExponent<T>(x: T): T {
  const cubic = mul<T>(mul<T>(x, x), entry<T>(GATE, 0));
  return mul<T>(sub<T>(entry<T>(GATE, 1), cubic), x);
}

/** x / (1 + power) */
// @ts-ignore: decorator
@inline
export function gated<T>(x: T, power: T): T {
  return div<T>(x, add<T>(entry<T>(GATE, 2), power));
}

/** GELU in its exact form, x times the normal distribution function. */
// @ts-ignore: decorator
@inline
export function geluErf<T>(x: T): T {
  return mul<T>(x, normal<T>(x));
}

/** The numbers of `normal`, in order of use. */
const NORMAL = memory.data<f32>([
  0.7071067811865476, 1, 0.5, 0.14566771686077118, -0.6850975155830383, 1.1674914360046387, -0.7116841673851013,
  -0.06643349677324295, -0.006759620271623135, 0.03759538754820824, 0.3859522342681885, 0.9987208843231201, -1.2654527425765991,
]);

/**
 * The normal distribution function. With z = |x| / sqrt 2 and t = 1 / (1 + z/2), erfc z = t exp(-z^2 + P(t)); P is an own
 * minimax fit of degree 9 for z up to 10 (relative error 5e-8).
 */
// @ts-ignore: decorator
@inline
export function normal<T>(x: T): T {
  const z = mul<T>(abs<T>(x), entry<T>(NORMAL, 0));
  const t = div<T>(entry<T>(NORMAL, 1), add<T>(entry<T>(NORMAL, 1), mul<T>(z, entry<T>(NORMAL, 2))));
  let p = add<T>(mul<T>(t, entry<T>(NORMAL, 3)), entry<T>(NORMAL, 4));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 5));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 6));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 7));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 8));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 9));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 10));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 11));
  p = add<T>(mul<T>(p, t), entry<T>(NORMAL, 12));
  const tail = mul<T>(mul<T>(t, entry<T>(NORMAL, 2)), exp<T>(sub<T>(p, mul<T>(z, z))));
  return whereLess<T>(x, splat<T>(0), tail, sub<T>(entry<T>(NORMAL, 1), tail));
}

/*
 * Reductions. The order of summation, the same in every build: element i goes to partial sum i mod 16, in order; the
 * partial sums p combine as s[l] = (p[l] + p[l+4]) + (p[l+8] + p[l+12]), the result is (s[0] + s[1]) + (s[2] + s[3]).
 */

const SUM: i32 = 0, SQUARES: i32 = 1, PRODUCTS: i32 = 2, TRIPLES: i32 = 3;

/** Sum over i of x[i]. */
// @ts-ignore: decorator
@inline
export function sum(x: usize, n: i32): f32 {
  return reduce(SUM, x, 0, 0, n, 0);
}

/** Sum over i of (x[i] - centre)^2. */
// @ts-ignore: decorator
@inline
export function sumSquares(x: usize, n: i32, centre: f32): f32 {
  return reduce(SQUARES, x, 0, 0, n, centre);
}

/** Sum over i of a[i] b[i]. */
// @ts-ignore: decorator
@inline
export function sumProducts(a: usize, b: usize, n: i32): f32 {
  return reduce(PRODUCTS, a, b, 0, n, 0);
}

/** Sum over i of (a[i] b[i]) (x[i] - centre). */
// @ts-ignore: decorator
@inline
export function sumTriples(a: usize, b: usize, x: usize, n: i32, centre: f32): f32 {
  return reduce(TRIPLES, a, b, x, n, centre);
}

/** `kind` is a constant of the caller's, so one formula is left. `count`: of a vector's lanes, 4 or the fewer that there are. */
// @ts-ignore: decorator
@inline
function term<T>(kind: i32, a: usize, b: usize, x: usize, centre: T, count: i32): T {
  const first = fetch<T>(a, count);
  if (kind == SUM) return first;
  if (kind == SQUARES) {
    const off = sub<T>(first, centre);
    return mul<T>(off, off);
  }
  const product = mul<T>(first, fetch<T>(b, count));
  return kind == PRODUCTS ? product : mul<T>(product, sub<T>(fetch<T>(x, count), centre));
}

// @ts-ignore: decorator
@inline
function fetch<T>(address: usize, count: i32): T {
  if (isVector<T>()) return count == 4 ? v128.load(address) : loadFirst(address, count);
  return load<f32>(address);
}

// @ts-ignore: decorator
@inline
function reduce(kind: i32, a: usize, b: usize, x: usize, n: i32, centre: f32): f32 {
  if (SIMD) return reduceLanes(kind, a, b, x, n, centre);
  const s0 = partial(kind, a, b, x, n, 0, centre), s1 = partial(kind, a, b, x, n, 1, centre);
  const s2 = partial(kind, a, b, x, n, 2, centre), s3 = partial(kind, a, b, x, n, 3, centre);
  return s0 + s1 + (s2 + s3);
}

/** s[lane] of the order above. */
// @ts-ignore: decorator
@inline
function partial(kind: i32, a: usize, b: usize, x: usize, n: i32, lane: i32, centre: f32): f32 {
  let p0: f32 = 0, p1: f32 = 0, p2: f32 = 0, p3: f32 = 0;
  for (let i = lane; i < n; i += 16) {
    const at = <usize>i << 2;
    p0 += term<f32>(kind, a + at, b + at, x + at, centre, 1);
    if (i + 4 < n) p1 += term<f32>(kind, a + at + 16, b + at + 16, x + at + 16, centre, 1);
    if (i + 8 < n) p2 += term<f32>(kind, a + at + 32, b + at + 32, x + at + 32, centre, 1);
    if (i + 12 < n) p3 += term<f32>(kind, a + at + 48, b + at + 48, x + at + 48, centre, 1);
  }
  return p0 + p1 + (p2 + p3);
}

// @ts-ignore: decorator
@inline
function reduceLanes(kind: i32, a: usize, b: usize, x: usize, n: i32, centre: f32): f32 {
  const middle = splat<v128>(centre);
  let p0 = splat<v128>(0), p1 = p0, p2 = p0, p3 = p0;
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    p0 = add<v128>(p0, term<v128>(kind, a, b, x, middle, 4));
    p1 = add<v128>(p1, term<v128>(kind, a + 16, b + 16, x + 16, middle, 4));
    p2 = add<v128>(p2, term<v128>(kind, a + 32, b + 32, x + 32, middle, 4));
    p3 = add<v128>(p3, term<v128>(kind, a + 48, b + 48, x + 48, middle, 4));
    a += 64, b += 64, x += 64;
  }
  if (i < n) p0 = add<v128>(p0, termOfTail(kind, a, b, x, middle, n - i));
  if (i + 4 < n) p1 = add<v128>(p1, termOfTail(kind, a + 16, b + 16, x + 16, middle, n - i - 4));
  if (i + 8 < n) p2 = add<v128>(p2, termOfTail(kind, a + 32, b + 32, x + 32, middle, n - i - 8));
  if (i + 12 < n) p3 = add<v128>(p3, termOfTail(kind, a + 48, b + 48, x + 48, middle, n - i - 12));
  return sumLanes(add<v128>(add<v128>(p0, p1), add<v128>(p2, p3)));
}

/** The terms of `count` elements (4 if more), +0 in the lanes past them: adding that leaves a partial sum as it is. */
// @ts-ignore: decorator
@inline
function termOfTail(kind: i32, a: usize, b: usize, x: usize, centre: v128, count: i32): v128 {
  return v128.and(term<v128>(kind, a, b, x, centre, min(count, 4)), firstLanes(count));
}

/** (x[0] + x[1]) + (x[2] + x[3]) */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  const pairs = f32x4.add(x, i32x4.shuffle(x, x, 1, 1, 3, 3));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 2);
}

/** The upper two lanes of f32, for promotion to f64. */
// @ts-ignore: decorator
@inline
export function upper(x: v128): v128 {
  return i32x4.shuffle(x, x, 2, 3, 2, 3);
}

/** The sum of two lanes of f64. */
// @ts-ignore: decorator
@inline
export function both(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** The first `count` lanes from memory (all when count >= 4), 0 in the others; reads nothing past them. */
export function loadFirst(x: usize, count: i32): v128 {
  if (count >= 4) return v128.load(x);
  if (count == 1) return v128.load32_zero(x);
  const two = v128.load64_zero(x);
  return count == 2 ? two : v128.load32_lane(x, two, 2, 8);
}

/** All bits set in lanes 0 … count - 1. */
// @ts-ignore: decorator
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3));
}

/** The largest element (never a NaN), -Infinity for none. */
// @ts-ignore: decorator
@inline
export function largest(x: usize, n: i32): f32 {
  let best: f32 = -Infinity;
  let i = 0;
  if (SIMD) {
    let b0 = splat<v128>(best), b1 = b0;
    for (; i + 8 <= n; i += 8, x += 32) {
      b0 = greater<v128>(b0, v128.load(x));
      b1 = greater<v128>(b1, v128.load(x, 16));
    }
    b0 = greater<v128>(b0, b1);
    b0 = greater<v128>(b0, i32x4.shuffle(b0, b0, 2, 3, 2, 3));
    best = greater<f32>(f32x4.extract_lane(b0, 0), f32x4.extract_lane(b0, 1));
  }
  for (; i < n; ++i, x += 4) best = greater<f32>(best, load<f32>(x));
  return best;
}
