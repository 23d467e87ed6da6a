/** One row of activations in int8 blocks of 32: x is about d[block] * codes[i]. */
export interface QuantisedRow {
  d: Float32Array;
  codes: Int8Array;
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
  return { d, codes };
}
