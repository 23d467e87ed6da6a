// Functions whose bits are the same on every engine.
/** Functions of the kernels, the same bits on every engine. */
export interface SameMath {
  exp_f64(x: number): number;
  log_f64(x: number): number;
}

/** cos x by its Taylor series about 0 after folding x into -π … π: Math.cos may differ between engines. */
export function cosine(x: number): number {
  const turns = Math.round(x / (2 * Math.PI));
  const folded = x - turns * 2 * Math.PI;
  const square = -folded * folded;
  let sum = 0;
  let term = 1;
  for (let n = 1; n < 40; n += 2) {
    sum += term;
    term *= square / (n * (n + 1));
  }
  return sum;
}
