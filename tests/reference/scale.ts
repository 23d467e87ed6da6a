/** One rounding: the product in f64 is exact. */
export const scale = (x: ArrayLike<number>, factor: number): number[] => Array.from(x, (value) => Math.fround(value * Math.fround(factor)));
