export const zeros = (count: number): Float64Array => new Float64Array(count);
