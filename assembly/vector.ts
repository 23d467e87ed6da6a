/**
 * Arithmetic on T, which is either f32 (one lane) or v128 (four lanes of f32), so that a formula is written once and its
 * scalar and vector forms do the same operations in the same order, lane by lane: the same bits.
 *
 * `lesser` and `greater` are the comparing forms (x86 minps/maxps, wasm pmin/pmax), not the NaN-propagating ones.
 */

// @ts-ignore: decorator
@inline
export function splat<T>(x: f32): T {
  if (isVector<T>()) return f32x4.splat(x);
  return x;
}

/** Number `index` of a table of f32, in every lane. V8 rebuilds a v128 constant at each use, with three instructions; this is one. */
// @ts-ignore: decorator
@inline
export function entry<T>(table: usize, index: usize): T {
  if (isVector<T>()) return v128.load32_splat(table + (index << 2));
  return load<f32>(table + (index << 2));
}

// @ts-ignore: decorator
@inline
export function get<T>(address: usize): T {
  if (isVector<T>()) return v128.load(address);
  return load<f32>(address);
}

// @ts-ignore: decorator
@inline
export function put<T>(address: usize, x: T): void {
  if (isVector<T>()) v128.store(address, x);
  else store<f32>(address, x);
}

// @ts-ignore: decorator
@inline
export function add<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.add(a, b);
  return a + b;
}

// @ts-ignore: decorator
@inline
export function sub<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.sub(a, b);
  return a - b;
}

// @ts-ignore: decorator
@inline
export function mul<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.mul(a, b);
  return a * b;
}

// @ts-ignore: decorator
@inline
export function div<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.div(a, b);
  return a / b;
}

// @ts-ignore: decorator
@inline
export function sqrt<T>(x: T): T {
  if (isVector<T>()) return f32x4.sqrt(x);
  return NativeMathf.sqrt(x);
}

/** b < a ? b : a */
// @ts-ignore: decorator
@inline
export function lesser<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.pmin(a, b);
  return b < a ? b : a;
}

/** a < b ? b : a */
// @ts-ignore: decorator
@inline
export function greater<T>(a: T, b: T): T {
  if (isVector<T>()) return f32x4.pmax(a, b);
  return a < b ? b : a;
}

// @ts-ignore: decorator
@inline
export function abs<T>(x: T): T {
  if (isVector<T>()) return f32x4.abs(x);
  return NativeMathf.abs(x);
}

/** a < b ? yes : no, per lane. */
// @ts-ignore: decorator
@inline
export function whereLess<T>(a: T, b: T, yes: T, no: T): T {
  if (isVector<T>()) return v128.bitselect(yes, no, f32x4.lt(a, b));
  return a < b ? yes : no;
}

/** The magnitude of x with the sign of y. */
// @ts-ignore: decorator
@inline
export function copySign<T>(x: T, y: T): T {
  if (isVector<T>()) return v128.bitselect(y, x, i32x4.splat(i32.MIN_VALUE));
  return copysign<f32>(x, y);
}

/** 2^(n-1) where n is the integer in the low bits of x, -126 <= n <= 128; 0 for n = -126. `half` is 0.5. */
// @ts-ignore: decorator
@inline
export function halfPower<T>(x: T, half: T): T {
  if (isVector<T>()) return i32x4.add(i32x4.shl(x, 23), half);
  return reinterpret<f32>((reinterpret<i32>(x) << 23) + reinterpret<i32>(half));
}
