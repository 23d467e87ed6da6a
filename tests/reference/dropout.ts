/** Relative: two roundings. */
export const DROPOUT_TOLERANCE = 2.4e-7;

/** Chris Wellons' lowbias32. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Whether element `number` is dropped: two keys from the seed, one before and one after the first mixing. */
export function isDropped(number: number, seed: number, rate: number): boolean {
  const key = mix(seed), second = mix((key + 0x9e3779b9) | 0);
  return mix(mix((number + key) | 0) ^ second) / 2 ** 32 < rate;
}

export const dropout = (x: ArrayLike<number>, seed: number, rate: number): Float64Array => Float64Array.from(x, (value, i) => (isDropped(i, seed, rate) ? 0 : value / (1 - rate)));
