const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const PASSES = 3;

/**
 * Stable ascending order of f32 values: least-significant-digit radix sort, 11 bits at a time. Three passes over the
 * list whatever it holds, no comparisons, no garbage: 49k values take about half a millisecond.
 */
export class Sorter {
  /** The values to be sorted: fill [0, count). Overwritten by `ascending`. -0 sorts before 0. */
  readonly values: Float32Array;
  private readonly counts = new Uint32Array(PASSES * DIGITS);
  private keys: Uint32Array;
  private order: Uint32Array;
  private otherKeys: Uint32Array;
  private otherOrder: Uint32Array;

  constructor(capacity: number) {
    this.keys = new Uint32Array(capacity);
    this.values = new Float32Array(this.keys.buffer);
    this.order = new Uint32Array(capacity);
    this.otherKeys = new Uint32Array(capacity);
    this.otherOrder = new Uint32Array(capacity);
  }

  /** The indices of values[0, count) in ascending order of value; valid until the next call. */
  ascending(count: number): Uint32Array {
    const home = this.keys;
    this.prepare(count);
    for (let pass = 0; pass < PASSES; pass++) if (this.differs(pass, count)) this.scatter(pass, count);
    if (this.keys !== home) {
      this.otherKeys = this.keys;
      this.keys = home;
    }
    return this.order;
  }

  /** Turns float bits into unsigned integers of the same order, and counts the digits of every pass at once. */
  private prepare(count: number): void {
    const { keys, order, counts } = this;
    counts.fill(0);
    for (let i = 0; i < count; i++) {
      const bits = keys[i]! | 0;
      const key = (bits ^ ((bits >> 31) | 0x80000000)) >>> 0;
      keys[i] = key;
      order[i] = i;
      counts[key & (DIGITS - 1)]!++;
      counts[DIGITS + ((key >>> DIGIT_BITS) & (DIGITS - 1))]!++;
      counts[2 * DIGITS + (key >>> (2 * DIGIT_BITS))]!++;
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
      const to = counts[first + ((key >>> shift) & (DIGITS - 1))]!++;
      otherKeys[to] = key;
      otherOrder[to] = order[i]!;
    }
    this.keys = otherKeys;
    this.order = otherOrder;
    this.otherKeys = keys;
    this.otherOrder = order;
  }
}
