/** One row of activations in int8 blocks of 32: x is about d[block] * codes[i]. */
export interface QuantisedRow {
  d: Float32Array;
  codes: Int8Array;
  /** The sums of blocks, d x the sum of its codes, of 256 columns about e[superblock] * sums[block]; nothing where columns do not come in 256s. */
  e: Float32Array;
  sums: Int16Array;
}

/** Nearest integer, halves to even. */
function nearest(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** The rule written in assembly/kernels/quantize.ts. */
export function quantize(x: Float32Array): QuantisedRow {
  const d = new Float32Array(x.length / 32);
  const codes = new Int8Array(x.length);
  for (let block = 0; block < d.length; block++) {
    const values = x.subarray(32 * block, 32 * block + 32);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (!Number.isFinite(largest)) d[block] = NaN;
    else if (largest >= 2 ** -100) {
      d[block] = largest / 127;
      const inverse = Math.fround(127 / largest);
      values.forEach((value, i) => (codes[32 * block + i] = nearest(Math.fround(value * inverse))));
    }
  }
  return { d, codes, ...sumsOf(d, codes) };
}

function sumsOf(d: Float32Array, codes: Int8Array): { e: Float32Array; sums: Int16Array } {
  const supers = codes.length % 256 === 0 ? codes.length / 256 : 0;
  const e = new Float32Array(supers), sums = new Int16Array(8 * supers);
  const exact = d.map((scale, block) => scale * codes.subarray(32 * block, 32 * block + 32).reduce((a, b) => a + b, 0));
  for (let at = 0; at < supers; at++) {
    const eight = exact.subarray(8 * at, 8 * at + 8), largest = eight.reduce((most, sum) => Math.max(most, Math.abs(sum)), 0);
    e[at] = Number.isFinite(largest) ? largest / 32767 : NaN;
    if (largest > 0 && largest < Infinity) sums.set(eight.map((sum) => nearest(Math.fround(sum * Math.fround(32767 / largest)))), 8 * at);
  }
  return { e, sums };
}
