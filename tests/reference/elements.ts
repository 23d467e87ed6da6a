/** Relative to the larger of |y| and |x scale|: two roundings. */
export const ADD_SCALED_TOLERANCE = 2.4e-7;

export const addScaled = (y: ArrayLike<number>, x: ArrayLike<number>, scale: number): Float64Array => Float64Array.from(y, (value, i) => value + x[i]! * scale);
