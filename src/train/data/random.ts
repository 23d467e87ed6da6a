/** Seeded uniform numbers in [0, 1) with 32 bits: mulberry32. Integers only, the same everywhere. */
export class Random {
  constructor(public state: number) {
    this.state >>>= 0;
  }

  /** A number from 0 to 2^32 - 1. */
  word(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return (value ^ (value >>> 14)) >>> 0;
  }

  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number below `count`. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }
}

/** Another seed for every purpose: the words mixed as in MurmurHash3's finaliser. */
export function mix(...words: readonly number[]): number {
  let hash = 0x9747b28c;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** The numbers 0 … count - 1 in a seeded order (Fisher and Yates). */
export function permutation(count: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = new Random(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Seeded normal numbers by Marsaglia's polar method; `log` is the kernels' own, so that all machines draw the same. */
export class Normal {
  private spare: number | undefined;
  private readonly random: Random;

  constructor(
    seed: number,
    private readonly log: (x: number) => number,
  ) {
    this.random = new Random(seed);
  }

  next(): number {
    const { spare } = this;
    this.spare = undefined;
    if (spare !== undefined) return spare;
    for (;;) {
      const x = 2 * this.random.uniform() - 1;
      const y = 2 * this.random.uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * this.log(square)) / square);
      this.spare = y * factor;
      return x * factor;
    }
  }
}
