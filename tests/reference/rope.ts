/** Of a rotated element, relative to the pair's length. */
export const ROPE_TOLERANCE = 3e-7;
/** Of a frequency, relative. */
export const FREQUENCY_TOLERANCE = 1e-13;

export interface RopeScale {
  kind: 'none' | 'linear' | 'yarn' | 'llama3' | 'yarn_exact';
  factor: number;
  low: number;
  high: number;
  originalContext: number;
}

const unit = (x: number): number => Math.min(1, Math.max(0, x));

/** Radians per position of each pair, following modeling_rope_utils.py of Hugging Face transformers. */
export function ropeFrequencies(dims: number, base: number, { kind, factor, low, high, originalContext }: RopeScale): number[] {
  const plain = Array.from({ length: dims / 2 }, (_, i) => base ** ((-2 * i) / dims));
  const correction = (turns: number) => (dims * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  return plain.map((frequency, i) => {
    if (kind === 'none') return frequency;
    if (kind === 'linear') return frequency / factor;
    if (kind === 'yarn' || kind === 'yarn_exact') {
      const [floor, ceil] = kind === 'yarn' ? [Math.floor, Math.ceil] : [Number, Number];
      const from = Math.max(floor(correction(high)), 0), to = Math.min(ceil(correction(low)), dims - 1);
      const ramp = unit((i - from) / Math.max(to - from, 0.001));
      return (frequency / factor) * ramp + frequency * (1 - ramp);
    }
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < originalContext / high) return frequency;
    if (wavelength > originalContext / low) return frequency / factor;
    const smooth = (originalContext / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Rotates the first `dims` of each head of headDim in a row; angles holds dims/2 cosines, then as many sines. */
export function rope(row: ArrayLike<number>, angles: ArrayLike<number>, headDim: number, dims: number, style: 'interleaved' | 'neox'): Float64Array {
  const y = Float64Array.from(row), half = dims / 2;
  for (let head = 0; head < y.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const [a, b] = style === 'neox' ? [head + i, head + i + half] : [head + 2 * i, head + 2 * i + 1];
      const [x0, x1, cos, sin] = [row[a]!, row[b]!, angles[i]!, angles[half + i]!];
      y[a] = x0 * cos - x1 * sin;
      y[b] = x0 * sin + x1 * cos;
    }
  }
  return y;
}

/** Gradient of `rope`: a rotation's transpose is the rotation by the opposite angles. */
export function ropeGrad(dy: ArrayLike<number>, angles: ArrayLike<number>, headDim: number, dims: number, style: 'interleaved' | 'neox'): Float64Array {
  return rope(dy, Array.from(angles, (value, i) => (i < dims / 2 ? value : -value)), headDim, dims, style);
}
