/**
 * f32 to the blocks that files hold (ggml-common.h), `count` values, a whole number of blocks. The choice of scales follows what
 * ggml's reference quantisers are described to do (no importance matrix): symmetric types scale by the largest magnitude,
 * K-quants search each sub-block's scale (and minimum) for the least weighted squared error.
 *
 * Scalar on purpose, in every build: it runs once per model, and so has one order of summation.
 */
import { halfOf, loadHalf } from './half';

const K_BLOCK: i32 = 256;

// @ts-ignore: decorator
@inline function at(x: usize, i: i32): f32 { return load<f32>(x + (<usize>i << 2)); }

// @ts-ignore: decorator
@inline function clamp(x: f32, low: f32, high: f32): i32 { return <i32>min(max(nearest(x), low), high); }

export function encode_f16(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i++, out += 2) store<u16>(out, halfOf(at(x, i)));
}

/** The upper half of the bits, ties to even. */
export function encode_bf16(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i++, out += 2) {
    const bits = load<u32>(x + (<usize>i << 2));
    store<u16>(out, <u16>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
  }
}

/** The value of largest magnitude, with its sign. */
function extreme(x: usize, count: i32): f32 {
  let found: f32 = 0;
  for (let i = 0; i < count; i++) if (abs(at(x, i)) > abs(found)) found = at(x, i);
  return found;
}

/** 32 values: d = max|x| / 127 (f16), codes round(x / d), ties away from zero. */
export function encode_q8_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 34, x += 128) {
    const d: f32 = abs(extreme(x, 32)) / 127, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    for (let j = 0; j < 32; j++) {
      const scaled = at(x, j) * inverse;
      store<i8>(out + j, <i8>trunc(scaled + copysign<f32>(0.5, scaled)), 2);
    }
  }
}

/** 32 values: d = extreme / -8 (f16), so that the extreme has code 0 (-8 without offset); codes min(15, floor(x / d + 8.5)). */
export function encode_q4_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 18, x += 128) {
    const d: f32 = extreme(x, 32) / -8, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    for (let j = 0; j < 16; j++) {
      const low = min(15, <i32>(at(x, j) * inverse + 8.5)), high = min(15, <i32>(at(x, j + 16) * inverse + 8.5));
      store<u8>(out + j, <u8>(low | high << 4), 2);
    }
  }
}

/** The fifth bits of two codes, of elements j and j + 16, in the 32-bit word of a block. */
// @ts-ignore: decorator
@inline function fifths(low: i32, high: i32, j: i32): u32 { return <u32>(low >> 4) << j | <u32>(high >> 4) << (j + 16); }

/** 32 values: d = extreme / -16 (f16), so that the extreme has code 0; codes min(31, floor(x / d + 16.5)), their fifth bits apart. */
export function encode_q5_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 22, x += 128) {
    const d: f32 = extreme(x, 32) / -16, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    let bits: u32 = 0;
    for (let j = 0; j < 16; j++) {
      const low = min(31, <i32>(at(x, j) * inverse + 16.5)), high = min(31, <i32>(at(x, j + 16) * inverse + 16.5));
      store<u8>(out + j, <u8>(low & 15 | (high & 15) << 4), 6);
      bits |= fifths(low, high, j);
    }
    store<u32>(out, bits, 2);
  }
}

/** The smallest and the largest value of a block of 32. */
let least: f32 = 0, most: f32 = 0;

function findRange(x: usize): void {
  least = most = at(x, 0);
  for (let i = 1; i < 32; i++) {
    least = min(least, at(x, i));
    most = max(most, at(x, i));
  }
}

/** 32 values: d = (most - least) / 15 and least (f16); codes min(15, floor((x - least) / d + 0.5)). */
export function encode_q4_1(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 20, x += 128) {
    findRange(x);
    const d: f32 = (most - least) / 15, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    store<u16>(out, halfOf(least), 2);
    for (let j = 0; j < 16; j++) {
      const low = min(15, <i32>((at(x, j) - least) * inverse + 0.5)), high = min(15, <i32>((at(x, j + 16) - least) * inverse + 0.5));
      store<u8>(out + j, <u8>(low | high << 4), 4);
    }
  }
}

/** 32 values: d = (most - least) / 31 and least (f16); codes min(31, floor((x - least) / d + 0.5)), their fifth bits apart. */
export function encode_q5_1(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 24, x += 128) {
    findRange(x);
    const d: f32 = (most - least) / 31, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    store<u16>(out, halfOf(least), 2);
    let bits: u32 = 0;
    for (let j = 0; j < 16; j++) {
      const low = min(31, <i32>((at(x, j) - least) * inverse + 0.5)), high = min(31, <i32>((at(x, j + 16) - least) * inverse + 0.5));
      store<u8>(out + j, <u8>(low & 15 | (high & 15) << 4), 8);
      bits |= fifths(low, high, j);
    }
    store<u32>(out, bits, 4);
  }
}

// Asymmetric sub-blocks of 32 (Q4_K, Q5_K): x ~ scale * code - minimum, code 0 .. 15 or 31, minimum >= 0.

/** The largest code. */
let top: f32 = 15;

/** What a fit of one sub-block found: scale and minimum. */
let fitScale: f32 = 0, fitMinimum: f32 = 0;

/** Weight of a value in the error: large values matter more, none nothing. */
// @ts-ignore: decorator
@inline function weightOf(x: usize, i: i32, spread: f32): f32 { return spread + abs(at(x, i)); }

/** Weighted squared error of codes nearest to (x + minimum) / scale. */
function errorOf(x: usize, scale: f32, minimum: f32, spread: f32): f32 {
  const inverse: f32 = scale > 0 ? 1 / scale : 0;
  let error: f32 = 0;
  for (let i = 0; i < 32; i++) {
    const code = clamp((at(x, i) + minimum) * inverse, 0, top);
    const difference = scale * <f32>code - minimum - at(x, i);
    error += weightOf(x, i, spread) * difference * difference;
  }
  return error;
}

/** Least squares: scale and minimum (>= 0) for the codes that a trial scale gives. */
function refit(x: usize, trialInverse: f32, minimum: f32, spread: f32): void {
  let w: f32 = 0, wx: f32 = 0, wl: f32 = 0, wll: f32 = 0, wxl: f32 = 0;
  for (let i = 0; i < 32; i++) {
    const value = at(x, i), weight = weightOf(x, i, spread);
    const code = <f32>clamp((value + minimum) * trialInverse, 0, top);
    w += weight; wx += weight * value; wl += weight * code; wll += weight * code * code; wxl += weight * value * code;
  }
  const determinant = w * wll - wl * wl;
  fitScale = 0;
  fitMinimum = 0;
  if (determinant <= 0) return;
  fitScale = (w * wxl - wx * wl) / determinant;
  fitMinimum = (wl * wxl - wll * wx) / determinant;
  if (fitMinimum >= 0) return;
  fitMinimum = 0;
  fitScale = wll > 0 ? wxl / wll : 0;
}

/** Tries scales around (max - min) / top, `first` codes and on by tenths, and keeps the best fit in fitScale, fitMinimum. */
function fitAsymmetric(x: usize, first: f32, steps: i32): void {
  let low: f32 = 0, high = at(x, 0), squares: f32 = 0;
  for (let i = 0; i < 32; i++) {
    low = min(low, at(x, i));
    high = max(high, at(x, i));
    squares += at(x, i) * at(x, i);
  }
  const spread = <f32>Math.sqrt(squares / 32);
  let bestScale: f32 = max(high - low, 0) / top, bestMinimum = -low;
  if (high > low) {
    let best = errorOf(x, bestScale, bestMinimum, spread);
    for (let step = 0; step <= steps; step++) {
      refit(x, (first + 0.1 * <f32>step) / (high - low), -low, spread);
      if (fitScale <= 0) continue;
      const error = errorOf(x, fitScale, fitMinimum, spread);
      if (error >= best) continue;
      best = error;
      bestScale = fitScale;
      bestMinimum = fitMinimum;
    }
  }
  fitScale = bestScale;
  fitMinimum = bestMinimum;
}

const fits: usize = memory.data(128);

/** Scale and minimum j, 6 bits each, in the 12 bytes at p: see get_scale_min_k4 of ggml-quants.c. */
function storeScale(p: usize, j: i32, scale: i32, minimum: i32): void {
  if (j < 4) {
    store<u8>(p + j, <u8>scale);
    store<u8>(p + j, <u8>minimum, 4);
  } else {
    store<u8>(p + j, <u8>(scale & 15 | (minimum & 15) << 4), 4);
    store<u8>(p + j - 4, <u8>(load<u8>(p + j - 4) | scale >> 4 << 6));
    store<u8>(p + j, <u8>(load<u8>(p + j) | minimum >> 4 << 6));
  }
}

/** 256 values: f16 d and dmin, eight 6-bit scales and minima, 4-bit codes: x ~ d * scale * code - dmin * minimum. */
export function encode_q4_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 144, x += 1024) encodeQ4K(out, x);
}

function encodeQ4K(out: usize, x: usize): void {
  top = 15;
  fitSubBlocks(out, x, 14, 20);
  memory.fill(out + 16, 0, 128);
  for (let j: usize = 0; j < 8; j++) storeNibbles(out + 16 + (j >> 1 << 5), x + (j << 7), <i32>j);
}

/** 256 values: as Q4_K, with 32 bytes of fifth bits before the nibbles. */
export function encode_q5_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 176, x += 1024) encodeQ5K(out, x);
}

function encodeQ5K(out: usize, x: usize): void {
  top = 31;
  fitSubBlocks(out, x, 30.5, 15);
  memory.fill(out + 16, 0, 160);
  for (let j: usize = 0; j < 8; j++) storeFiveBits(out + 16, out + 48 + (j >> 1 << 5), x + (j << 7), <i32>j);
}

/** Scales and minima of the eight sub-blocks, written as the block has them; left in `fits` as they will be read. */
function fitSubBlocks(out: usize, x: usize, first: f32, steps: i32): void {
  let mostScale: f32 = 0, mostMinimum: f32 = 0;
  for (let j: usize = 0; j < 8; j++) {
    fitAsymmetric(x + (j << 7), first, steps);
    store<f32>(fits + (j << 3), fitScale);
    store<f32>(fits + (j << 3), fitMinimum, 4);
    mostScale = max(mostScale, fitScale);
    mostMinimum = max(mostMinimum, fitMinimum);
  }
  store<u16>(out, halfOf(mostScale / 63));
  store<u16>(out, halfOf(mostMinimum / 63), 2);
  memory.fill(out + 4, 0, 12);
  const d = loadHalf(out), dmin = loadHalf(out + 2);
  for (let j = 0; j < 8; j++) {
    const fit = fits + (<usize>j << 3);
    const scale = mostScale > 0 ? clamp(63 / mostScale * load<f32>(fit), 0, 63) : 0;
    const minimum = mostMinimum > 0 ? clamp(63 / mostMinimum * load<f32>(fit, 4), 0, 63) : 0;
    storeScale(out + 4, j, scale, minimum);
    store<f32>(fit, d * <f32>scale);
    store<f32>(fit, dmin * <f32>minimum, 4);
  }
}

/** The 32 codes of sub-block j, into the low or high nibbles. */
function storeNibbles(out: usize, x: usize, j: i32): void {
  const fit = fits + (<usize>j << 3), scale = load<f32>(fit), minimum = load<f32>(fit, 4);
  if (scale == 0) return;
  for (let i = 0; i < 32; i++) {
    const code = clamp((at(x, i) + minimum) / scale, 0, top);
    store<u8>(out + i, load<u8>(out + i) | <u8>(code & 15) << <u8>((j & 1) << 2));
  }
}

/** The 32 codes of sub-block j: nibbles, and bit j of each of the 32 bytes at `fifth`. */
function storeFiveBits(fifth: usize, out: usize, x: usize, j: i32): void {
  const fit = fits + (<usize>j << 3), scale = load<f32>(fit), minimum = load<f32>(fit, 4);
  if (scale == 0) return;
  storeNibbles(out, x, j);
  for (let i = 0; i < 32; i++) {
    const code = clamp((at(x, i) + minimum) / scale, 0, top);
    store<u8>(fifth + i, load<u8>(fifth + i) | <u8>(code >> 4) << <u8>j);
  }
}

// Symmetric sub-blocks of 16 (Q6_K): x ~ scale * code, code -32..31.

/** Tries scales around extreme / -32 and returns the least-squares scale of the codes with the least x²-weighted error. */
function fitSymmetric(x: usize): f32 {
  const most = extreme(x, 16);
  if (abs(most) < 1e-15) return 0;
  let best: f32 = 0, bestScale: f32 = 0;
  for (let step = -9; step <= 9; step++) {
    const inverse: f32 = -(<f32>32 + <f32>0.1 * <f32>step) / most;
    let xl: f32 = 0, ll: f32 = 0;
    for (let i = 0; i < 16; i++) {
      const value = at(x, i), code = <f32>clamp(value * inverse, -32, 31), weight = value * value;
      xl += weight * value * code;
      ll += weight * code * code;
    }
    // The error of the best scale xl / ll for these codes falls as xl² / ll grows.
    if (ll <= 0 || xl * xl <= best * ll) continue;
    best = xl * xl / ll;
    bestScale = xl / ll;
  }
  return bestScale;
}

/** 256 values: low nibbles, upper bit pairs, sixteen i8 scales, f16 d: x ~ d * scale * (code - 32). */
export function encode_q6_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 210, x += 1024) encodeQ6K(out, x);
}

function encodeQ6K(out: usize, x: usize): void {
  let most: f32 = 0;
  for (let j: usize = 0; j < 16; j++) {
    const scale = fitSymmetric(x + (j << 6));
    store<f32>(fits + (j << 2), scale);
    if (abs(scale) > abs(most)) most = scale;
  }
  memory.fill(out, 0, 210);
  if (abs(most) < 1e-15) return;
  const inverse: f32 = -128 / most;
  store<u16>(out, halfOf(1 / inverse), 208);
  const d = loadHalf(out + 208);
  for (let j = 0; j < 16; j++) {
    const scale = clamp(inverse * load<f32>(fits + (<usize>j << 2)), -128, 127);
    store<i8>(out + j, <i8>scale, 192);
    storeSixBits(out, x + (<usize>j << 6), d * <f32>scale, j << 4);
  }
}

/** Codes first .. first + 15 of a block. */
function storeSixBits(out: usize, x: usize, scale: f32, first: i32): void {
  for (let i = 0; i < 16; i++) {
    const code = 32 + (scale ? clamp(at(x, i) / scale, -32, 31) : 0);
    const index = first + i, within = index & 127;
    const low = out + (<usize>(index >> 7) << 6) + (within & 63), high = out + 128 + (<usize>(index >> 7) << 5) + (within & 31);
    store<u8>(low, load<u8>(low) | <u8>(code & 15) << <u8>(within & 64 ? 4 : 0));
    store<u8>(high, load<u8>(high) | <u8>(code >> 4) << <u8>(within >> 5 << 1));
  }
}
