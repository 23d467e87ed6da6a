/** Replaces seed 0, from which xorshift would never leave (2^64 divided by the golden ratio). */
const SEED_FOR_ZERO = 0x9e3779b97f4a7c15n;
/** 0x2545F4914F6CDD1D in halves. */
const MULTIPLIER_HIGH = 0x2545f491;
const MULTIPLIER_LOW = 0x4f6cdd1d;

/** Upper 32 bits of the product of two unsigned 32-bit numbers, by 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = Math.imul(aHigh, bLow) >>> 0;
  const low = (middle & 0xffff) + (Math.imul(aLow, bLow) >>> 16) + (Math.imul(aLow, bHigh) >>> 0);
  // `low` stays below 2^33: exact as a double, so its carry is a division.
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + Math.floor(low / 0x10000)) >>> 0;
}

/**
 * xorshift64* (Vigna 2016), as llama2.c uses it: the state is the seed itself. Runs on two 32-bit halves, so that it
 * gives the same numbers at the same speed on every engine.
 */
export class Xorshift64Star {
  private high: number;
  private low: number;

  /** @param seed 0 to 2^64 - 1. */
  constructor(seed: bigint) {
    const state = seed === 0n ? SEED_FOR_ZERO : seed;
    this.high = Number((state >> 32n) & 0xffffffffn);
    this.low = Number(state & 0xffffffffn);
  }

  /** The next 32 bits. */
  uint32(): number {
    let { high, low } = this;
    low ^= (low >>> 12) | (high << 20);
    high ^= high >>> 12;
    high ^= (high << 25) | (low >>> 7);
    low ^= low << 25;
    low ^= (low >>> 27) | (high << 5);
    high ^= high >>> 27;
    this.high = high >>> 0;
    this.low = low >>> 0;
    return (multiplyHigh(this.low, MULTIPLIER_LOW) + Math.imul(this.high, MULTIPLIER_LOW) + Math.imul(this.low, MULTIPLIER_HIGH)) >>> 0;
  }

  /** Uniform in [0, 1): 24 bits, exact as f32. */
  float(): number {
    return (this.uint32() >>> 8) / 0x1000000;
  }
}

/** A seed for those who gave none: 32 bits, short enough to be typed again. */
export function randomSeed(): bigint {
  return BigInt(globalThis.crypto.getRandomValues(new Uint32Array(1))[0]!);
}
