/**
 * What the encoders share. They turn f32 to the blocks that files hold (ggml-common.h), `count` values, a whole number of blocks. The choice
 * of scales follows what ggml's reference quantisers are described to do (no importance matrix): symmetric types scale by the largest
 * magnitude, K-quants search each sub-block's scale (and minimum) for the least weighted squared error.
 *
 * Scalar on purpose, in every build: it runs once per model, and so has one order of summation.
 */

// @ts-ignore: decorator
@inline export function at(x: usize, i: i32): f32 { return load<f32>(x + (<usize>i << 2)); }

// @ts-ignore: decorator
@inline export function clamp(x: f32, low: f32, high: f32): i32 { return <i32>min(max(nearest(x), low), high); }

/** The value of largest magnitude, with its sign. */
export function extreme(x: usize, count: i32): f32 {
  let found: f32 = 0;
  for (let i = 0; i < count; i++) if (abs(at(x, i)) > abs(found)) found = at(x, i);
  return found;
}

export function least(x: usize, count: i32): f32 {
  let found = at(x, 0);
  for (let i = 1; i < count; i++) found = min(found, at(x, i));
  return found;
}

export function most(x: usize, count: i32): f32 {
  let found = at(x, 0);
  for (let i = 1; i < count; i++) found = max(found, at(x, i));
  return found;
}
