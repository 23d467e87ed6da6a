import type { Arena } from '../kernels/arena.js';
import { clamped, MOST } from './check.js';
import type { SamplingKernels } from './kernels.js';
import { Sorter } from './sorter.js';
import { LogitStats } from './stats.js';

/** Below this a temperature counts as 0: the division would only overflow. */
export const COLDEST = 1e-4;
/** Above this the radix sort is quicker than the kernel's heap. */
const MOST_SELECTED = 4096;

interface Addresses {
  readonly ids: number;
  readonly logits: number;
  readonly probabilities: number;
  readonly positions: number;
  readonly values: number;
}

/**
 * The ids that may come next. Entries [0, size) of the arrays are alive; samplers narrow and reorder them in place.
 * One instance serves every generation of a model: it is filled anew for each token, and its arrays stay the same.
 *
 * JavaScript's Math.exp, log and pow differ between engines: use `exp` and `log` from here, so that the same id is
 * drawn everywhere.
 */
export class Candidates {
  size = 0;
  /** Sum of the probabilities of [0, size), below 1 once unlikely ids were cut off; 0 while they are not computed. */
  mass = 0;
  /** Whether entries are in descending order of logit. */
  sorted = false;
  ids!: Int32Array;
  logits!: Float32Array;
  /** Valid after `softmax()`. */
  probabilities!: Float32Array;
  /** A number in [0, 1) from the seed of the generation. */
  random!: () => number;

  /** ids[i] === i for all i below this. */
  private identity = 0;
  /** Whether ids are in ascending order: none was moved. */
  private ascending = true;
  private positions!: Uint32Array;
  private readonly stats: LogitStats;
  private readonly sorter: Sorter;
  private readonly spareIds: Int32Array;
  private readonly spareFloats: Float32Array;
  private readonly addresses: Addresses;

  constructor(
    private readonly kernels: SamplingKernels,
    arena: Arena,
    readonly vocabulary: number,
  ) {
    const reserve = (bytes: number) => arena.allocate(bytes, 'sampling');
    const row = vocabulary * 4;
    this.addresses = {
      ids: reserve(row),
      logits: reserve(row),
      probabilities: reserve(row),
      positions: reserve(MOST_SELECTED * 4),
      values: reserve(MOST_SELECTED * 4),
    };
    this.stats = new LogitStats(kernels, arena);
    this.sorter = new Sorter(vocabulary);
    this.spareIds = new Int32Array(vocabulary);
    this.spareFloats = new Float32Array(vocabulary);
    this.attach();
  }

  /** Makes every id a candidate, with the f32 logits at `address`. */
  fill(address: number): void {
    this.attach();
    const { ids, vocabulary } = this;
    for (let i = this.identity; i < vocabulary; i++) ids[i] = i;
    this.identity = vocabulary;
    this.ascending = true;
    this.logits.set(new Float32Array(this.kernels.memory.buffer, address, vocabulary));
    this.size = vocabulary;
    this.changed();
  }

  /** The id of the largest of all logits at `address`, the lowest of equals: what filling and selecting one gives, sooner. */
  largest(address: number): number {
    return this.kernels.exports.argmax_f32(address, this.vocabulary);
  }

  /** To be called after writing into `logits`. */
  changed(): void {
    this.mass = 0;
    this.sorted = false;
  }

  /** Adds to the logit at a position: what is finite stays so. To be followed by `changed()`. */
  add(at: number, amount: number): void {
    this.logits[at] = clamped(this.logits[at]! + amount);
  }

  /**
   * Divides the logits by a temperature; below COLDEST the largest alone stays. Where quotients would be too large for 32
   * bits, differences to the largest logit are divided in place of the logits: that changes no probability.
   */
  divide(degree: number): void {
    if (degree < COLDEST) return this.select(1);
    const { logits, size, sorted } = this;
    const largest = logits[this.best()]!;
    const tooLarge = Math.abs(largest) / degree > MOST && largest > -Infinity;
    if (tooLarge) for (let i = 0; i < size; i++) logits[i] = clamped((logits[i]! - largest) / degree);
    else for (let i = 0; i < size; i++) logits[i]! /= degree;
    this.changed();
    this.sorted = sorted;
  }

  /** Where `id` is, or -1: at once while no id was dropped or moved, by a search afterwards. */
  find(id: number): number {
    const at = id < this.identity ? id : this.ascending ? this.bisect(id) : this.ids.indexOf(id);
    return at < this.size ? at : -1;
  }

  private bisect(id: number): number {
    let low = 0;
    for (let high = this.size; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return this.ids[low] === id ? low : -1;
  }

  /** Computes the probabilities of the candidates, unless they are known. */
  softmax(): void {
    if (this.mass > 0) return;
    this.kernels.exports.probabilities_f32(this.addresses.probabilities, this.addresses.logits, this.size, 1);
    this.mass = 1;
  }

  /** Position of the largest logit, the first of equals. */
  best(): number {
    return this.sorted ? 0 : this.kernels.exports.argmax_f32(this.addresses.logits, this.size);
  }

  /** Statistics of the candidates' logits. */
  measure(): LogitStats {
    return this.stats.measure(this.addresses.logits, this.size);
  }

  /** Room for the keys of `sortByKeys`, one per candidate. */
  get keys(): Float32Array {
    return this.sorter.values;
  }

  /**
   * Ascending by `keys`; equals stay in order. Given a limit, only the first whose probabilities together exceed it are
   * kept; the probabilities must be known then.
   */
  sortByKeys(limit = Infinity): void {
    const { sorter, size, probabilities } = this;
    const count = limit === Infinity ? sorter.sort(size) : sorter.sortUntil(size, probabilities, limit);
    this.reorder(sorter.order, count);
    this.sorted = false;
    this.cut(limit);
  }

  /** Descending by logit; equals stay in order. The limit as above. */
  sort(limit = Infinity): void {
    if (this.sorted) return this.cut(limit);
    const { keys, logits, size } = this;
    // 0 - x, not -x: both zeros become 0 and stay equal.
    for (let i = 0; i < size; i++) keys[i] = 0 - logits[i]!;
    this.sortByKeys(limit);
    this.sorted = true;
  }

  /** Keeps the first `count` (at least one). */
  truncate(count: number): void {
    if (count >= this.size) return;
    this.size = Math.max(1, count);
    this.weigh();
  }

  /** Keeps the `count` largest logits, descending, the first of equals. */
  select(count: number): void {
    if (count >= this.size) return;
    if (this.sorted || count > MOST_SELECTED) {
      this.sort();
      return this.truncate(count);
    }
    const { logits, positions, values } = this.addresses;
    this.reorder(this.positions, this.kernels.exports.topk_f32(logits, this.size, count, positions, values));
    this.sorted = true;
  }

  /** Keeps the ids whose bits are set; to be called before any was dropped or moved. Returns how many are left, also none. */
  allow(bits: Uint32Array): number {
    const { ids, logits, vocabulary } = this;
    let kept = 0;
    for (let first = 0; first < vocabulary; first += 32) {
      const there = vocabulary - first;
      const allowed = bits[first >>> 5]! & (there < 32 ? (1 << there) - 1 : -1);
      if (allowed === -1) {
        if (kept < first) {
          ids.copyWithin(kept, first, first + 32);
          logits.copyWithin(kept, first, first + 32);
        }
        kept += 32;
        continue;
      }
      for (let left = allowed; left !== 0; left &= left - 1) {
        const id = first + 31 - Math.clz32(left & -left);
        ids[kept] = id;
        logits[kept++] = logits[id]!;
      }
    }
    if (kept < vocabulary) this.identity = 0;
    return (this.size = kept);
  }

  /** Keeps, in order, the candidates whose entry in `measure` (their logits or probabilities) is `least` or more; all if none is. */
  keep(measure: Float32Array, least: number): void {
    const { ids, logits, probabilities, size } = this;
    let kept = 0;
    for (let i = 0; i < size; i++) {
      if (!(measure[i]! >= least)) continue;
      ids[kept] = ids[i]!;
      logits[kept] = logits[i]!;
      probabilities[kept++] = probabilities[i]!;
    }
    if (kept === 0 || kept === size) return;
    this.identity = 0;
    this.size = kept;
    this.weigh();
  }

  /** e^x, the same on every engine. */
  exp(x: number): number {
    return this.kernels.exports.exp_f64(x);
  }

  /** Natural logarithm, the same on every engine. */
  log(x: number): number {
    return this.kernels.exports.log_f64(x);
  }

  /** Keeps the first whose probabilities together exceed `limit`; all if they do not. */
  private cut(limit: number): void {
    if (limit === Infinity) return;
    let count = 0;
    for (let sum = 0; count < this.size && sum <= limit; count++) sum += this.probabilities[count]!;
    this.truncate(count);
  }

  /** Sums the probabilities, if known. */
  private weigh(): void {
    if (this.mass === 0) return;
    this.mass = 0;
    for (let i = 0; i < this.size; i++) this.mass += this.probabilities[i]!;
  }

  /** Entry i becomes what entry order[i] was, for i < count; the others are dropped. */
  private reorder(order: Uint32Array, count: number): void {
    permute(this.ids, order, count, this.spareIds);
    permute(this.logits, order, count, this.spareFloats);
    if (this.mass > 0) permute(this.probabilities, order, count, this.spareFloats);
    this.identity = 0;
    this.ascending = false;
    if (count === this.size) return;
    this.size = count;
    this.weigh();
  }

  /** Views go stale when the memory grows. */
  private attach(): void {
    const { buffer } = this.kernels.memory;
    if (this.ids?.buffer === buffer) return;
    const { addresses, vocabulary } = this;
    this.ids = new Int32Array(buffer, addresses.ids, vocabulary);
    this.logits = new Float32Array(buffer, addresses.logits, vocabulary);
    this.probabilities = new Float32Array(buffer, addresses.probabilities, vocabulary);
    this.positions = new Uint32Array(buffer, addresses.positions, MOST_SELECTED);
  }
}

function permute<T extends Int32Array | Float32Array>(values: T, order: Uint32Array, count: number, spare: T): void {
  for (let i = 0; i < count; i++) spare[i] = values[order[i]!]!;
  for (let i = 0; i < count; i++) values[i] = spare[i]!;
}
