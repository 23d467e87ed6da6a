/** Asymmetric sub-blocks of 32 (q4_K, q5_K): x ~ scale * code - minimum, code 0 .. top, minimum >= 0. A fit is f32 scale, f32 minimum. */
import { at, clamp } from './encode';
import { halfOf, loadHalf } from './half';

/** Values of a superblock. */
export const K_BLOCK: i32 = 256;

/** Eight fits, and one on trial. */
const FITS: usize = memory.data(64);
const TRIAL: usize = memory.data(8);

// @ts-ignore: decorator
@inline function scaleOf(fit: usize): f32 { return load<f32>(fit); }
// @ts-ignore: decorator
@inline function minimumOf(fit: usize): f32 { return load<f32>(fit, 4); }

// @ts-ignore: decorator
@inline function setFit(fit: usize, scale: f32, minimum: f32): void {
  store<f32>(fit, scale);
  store<f32>(fit, minimum, 4);
}

/** Weight of a value in the error: large values matter more, none nothing. */
// @ts-ignore: decorator
@inline function weightOf(x: usize, i: i32, spread: f32): f32 { return spread + abs(at(x, i)); }

/** Weighted squared error of codes nearest to (x + minimum) / scale. */
function errorOf(x: usize, scale: f32, minimum: f32, spread: f32, top: f32): f32 {
  const inverse: f32 = scale > 0 ? 1 / scale : 0;
  let error: f32 = 0;
  for (let i = 0; i < 32; i++) {
    const code = clamp((at(x, i) + minimum) * inverse, 0, top);
    const difference = scale * <f32>code - minimum - at(x, i);
    error += weightOf(x, i, spread) * difference * difference;
  }
  return error;
}

/** Least squares: the fit for the codes that a trial scale gives. */
function refit(fit: usize, x: usize, trialInverse: f32, minimum: f32, spread: f32, top: f32): void {
  let w: f32 = 0, wx: f32 = 0, wl: f32 = 0, wll: f32 = 0, wxl: f32 = 0;
  for (let i = 0; i < 32; i++) {
    const value = at(x, i), weight = weightOf(x, i, spread);
    const code = <f32>clamp((value + minimum) * trialInverse, 0, top);
    w += weight; wx += weight * value; wl += weight * code; wll += weight * code * code; wxl += weight * value * code;
  }
  const determinant = w * wll - wl * wl;
  if (determinant <= 0) return setFit(fit, 0, 0);
  const least = (wl * wxl - wll * wx) / determinant;
  if (least >= 0) setFit(fit, (w * wxl - wx * wl) / determinant, least);
  else setFit(fit, wll > 0 ? wxl / wll : 0, 0);
}

/** Tries scales around (max - min) / top, `first` codes and on by tenths, and keeps the best. */
function fitAsymmetric(fit: usize, x: usize, first: f32, steps: i32, top: f32): void {
  let low: f32 = 0, high = at(x, 0), squares: f32 = 0;
  for (let i = 0; i < 32; i++) {
    low = min(low, at(x, i));
    high = max(high, at(x, i));
    squares += at(x, i) * at(x, i);
  }
  const spread = <f32>Math.sqrt(squares / 32);
  setFit(fit, max(high - low, 0) / top, -low);
  if (!(high > low)) return;
  let best = errorOf(x, scaleOf(fit), minimumOf(fit), spread, top);
  for (let step = 0; step <= steps; step++) {
    refit(TRIAL, x, (first + 0.1 * <f32>step) / (high - low), -low, spread, top);
    if (scaleOf(TRIAL) <= 0) continue;
    const error = errorOf(x, scaleOf(TRIAL), minimumOf(TRIAL), spread, top);
    if (error >= best) continue;
    best = error;
    setFit(fit, scaleOf(TRIAL), minimumOf(TRIAL));
  }
}

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

/** Scales and minima of the eight sub-blocks, written as the block has them. Returns the fits as they will be read. */
export function fitSubBlocks(out: usize, x: usize, first: f32, steps: i32, top: f32): usize {
  let mostScale: f32 = 0, mostMinimum: f32 = 0;
  for (let j: usize = 0; j < 8; j++) {
    const fit = FITS + (j << 3);
    fitAsymmetric(fit, x + (j << 7), first, steps, top);
    mostScale = max(mostScale, scaleOf(fit));
    mostMinimum = max(mostMinimum, minimumOf(fit));
  }
  store<u16>(out, halfOf(mostScale / 63));
  store<u16>(out, halfOf(mostMinimum / 63), 2);
  memory.fill(out + 4, 0, 12);
  const d = loadHalf(out), dmin = loadHalf(out + 2);
  for (let j = 0; j < 8; j++) {
    const fit = FITS + (<usize>j << 3);
    const scale = mostScale > 0 ? clamp(63 / mostScale * scaleOf(fit), 0, 63) : 0;
    const minimum = mostMinimum > 0 ? clamp(63 / mostMinimum * minimumOf(fit), 0, 63) : 0;
    storeScale(out + 4, j, scale, minimum);
    setFit(fit, d * <f32>scale, dmin * <f32>minimum);
  }
  return FITS;
}

/** Code i of sub-block j, whose values are at x. */
export function codeOf(x: usize, i: i32, fits: usize, j: i32, top: f32): i32 {
  const fit = fits + (<usize>j << 3), scale = scaleOf(fit);
  return scale == 0 ? 0 : clamp((at(x, i) + minimumOf(fit)) / scale, 0, top);
}

/** The low bits of the 32 codes of sub-block j, into the low or high nibbles. */
export function storeNibbles(out: usize, x: usize, fits: usize, j: i32, top: f32): void {
  for (let i = 0; i < 32; i++) store<u8>(out + i, load<u8>(out + i) | <u8>(codeOf(x, i, fits, j, top) & 15) << <u8>((j & 1) << 2));
}
