const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const PASSES = 3;
const LAST_SHIFT = (PASSES - 1) * DIGIT_BITS;

/**
 * Stable ascending order of f32 values: least-significant-digit radix sort, 11 bits at a time. Three passes over the
 * list whatever it holds, no comparisons, no garbage. Given weights, it first drops the values that come too late.
 */
export class Sorter {
  /** The values to be sorted: fill [0, count). Overwritten by the sort. -0 sorts before 0. */
  readonly values: Float32Array;
  /** Positions in sorted order; valid until the next sort. */
  order: Uint32Array;
  private keys: Uint32Array;
  private otherKeys: Uint32Array;
  private otherOrder: Uint32Array;
  private readonly counts = new Uint32Array(PASSES * DIGITS);
  private readonly masses = new Float64Array(DIGITS);

  constructor(capacity: number) {
    this.keys = new Uint32Array(capacity);
    this.values = new Float32Array(this.keys.buffer);
    this.order = new Uint32Array(capacity);
    this.otherKeys = new Uint32Array(capacity);
    this.otherOrder = new Uint32Array(capacity);
  }

  /** Sorts values[0, count) into `order`; returns count. */
  sort(count: number): number {
    this.toKeys(count);
    for (let i = 0; i < count; i++) this.order[i] = i;
    this.radix(count);
    return count;
  }

  /**
   * The same, but of the values that come so late that `limit` is exceeded by the weights of those before, most are
   * left out. Returns how many are in `order`.
   */
  sortUntil(count: number, weights: Float32Array, limit: number): number {
    this.toKeys(count);
    const needed = this.dropLate(count, weights, limit);
    this.radix(needed);
    return needed;
  }

  /** Turns float bits into unsigned integers of the same order. */
  private toKeys(count: number): void {
    const { keys } = this;
    for (let i = 0; i < count; i++) {
      const bits = keys[i]! | 0;
      keys[i] = bits ^ ((bits >> 31) | 0x80000000);
    }
  }

  /** Keeps the keys whose upper bits are those of the weightiest prefix that exceeds `limit`, or less. */
  private dropLate(count: number, weights: Float32Array, limit: number): number {
    const { keys, order, masses } = this;
    masses.fill(0);
    for (let i = 0; i < count; i++) masses[keys[i]! >>> LAST_SHIFT]! += weights[i]!;
    // A little more than the limit: these sums run in another order than the caller's.
    const enough = limit * (1 + 1e-9);
    let last = 0;
    for (let mass = masses[0]!; last < DIGITS - 1 && mass <= enough; ) mass += masses[++last]!;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (keys[i]! >>> LAST_SHIFT > last) continue;
      keys[kept] = keys[i]!;
      order[kept++] = i;
    }
    return kept;
  }

  private radix(count: number): void {
    const home = this.keys;
    this.countDigits(count);
    for (let pass = 0; pass < PASSES; pass++) if (this.differs(pass, count)) this.scatter(pass, count);
    if (this.keys === home) return;
    this.otherKeys = this.keys;
    this.keys = home;
  }

  private countDigits(count: number): void {
    const { keys, counts } = this;
    counts.fill(0);
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      counts[key & (DIGITS - 1)]!++;
      counts[DIGITS + ((key >>> DIGIT_BITS) & (DIGITS - 1))]!++;
      counts[2 * DIGITS + (key >>> LAST_SHIFT)]!++;
    }
  }

  /** False when every key has the same digit, so that the pass would change nothing. */
  private differs(pass: number, count: number): boolean {
    if (count === 0) return false;
    const digit = (this.keys[0]! >>> (pass * DIGIT_BITS)) & (DIGITS - 1);
    return this.counts[pass * DIGITS + digit] !== count;
  }

  private scatter(pass: number, count: number): void {
    const { keys, order, otherKeys, otherOrder, counts } = this;
    const first = pass * DIGITS;
    const shift = pass * DIGIT_BITS;
    for (let digit = 0, start = 0; digit < DIGITS; digit++) {
      const size = counts[first + digit]!;
      counts[first + digit] = start;
      start += size;
    }
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      const slot = first + ((key >>> shift) & (DIGITS - 1));
      const to = counts[slot]!;
      counts[slot] = to + 1;
      otherKeys[to] = key;
      otherOrder[to] = order[i]!;
    }
    this.keys = otherKeys;
    this.order = otherOrder;
    this.otherKeys = keys;
    this.otherOrder = order;
  }
}
