import { onOwnMemory, trainExports, type TrainExports, type TrainKernels } from '../../kernels/instance.js';
import { powerOfTwo, STATUS, TextMemory, type Room } from '../../text/memory.js';
import type { Scanner } from '../../text/split.js';

/** The compiled training kernels (`TrainKernels` will do). */
export type LearnerSource = Pick<TrainKernels, 'secondModule'>;

/** The words of assembly/text/learn.ts, in its order. */
const FIELDS = [
  'total', 'totalHigh', 'words', 'wordsEnd', 'wordsLimit', 'table', 'tableMask', 'distinct', 'ids', 'spans', 'weights', 'positions', 'pairs', 'pairCount',
  'pairTable', 'pairMask', 'nodes', 'nodeCount', 'heap', 'heapSize', 'grown', 'merge', 'tokens', 'tokenCount', 'best',
] as const;
type Field = (typeof FIELDS)[number];

const FIRST_WORDS = 1 << 20;
const FIRST_SLOTS = 1 << 15;
/** A merge makes one symbol of two and lists at most two new pairs, so bytes, and twice as many again, bound the lists. */
const LISTED = 3;

export interface BestPair {
  left: number;
  right: number;
  count: number;
}

/** Counts words, then finds and merges pairs, in a WebAssembly memory of its own: assembly/text/learn.ts. Tokens 0-255 are the bytes. */
export class PairLearner extends TextMemory {
  private readonly kernels: TrainExports;
  private readonly learner: number;
  private store: Room;

  constructor({ secondModule }: LearnerSource, scanner: Scanner) {
    const { memory, exports } = onOwnMemory((memory) => ({ memory, exports: trainExports(secondModule, memory) }));
    super(memory);
    this.kernels = exports;
    this.learner = this.clear(FIELDS.length * 4).address;
    this.useScanner(scanner);
    this.store = this.reserve(FIRST_WORDS);
    this.placeWords(1);
    this.put('table', this.clear(FIRST_SLOTS * 16).address);
    this.put('tableMask', FIRST_SLOTS - 1);
  }

  /** Words of all texts, and different ones. */
  get totalWords(): number {
    return this.look('totalHigh') * 2 ** 32 + this.look('total');
  }

  get distinctWords(): number {
    return this.look('distinct');
  }

  /** Counts the words of a text. */
  count(text: string): void {
    this.feed(text, () => {
      for (;;) {
        const status = this.kernels.learn_count(this.engine, this.learner);
        if (status === STATUS.done) return;
        if (status === STATUS.pageMissing) this.fillPage(this.get('need') - 1);
        else this.growWords();
      }
    });
  }

  /** After the last text: makes symbols of the words. `tokens`: how many there may be, the bytes included. */
  begin(tokens: number): void {
    const positions = this.look('wordsEnd') - this.look('words');
    const listed = positions * LISTED;
    const slots = powerOfTwo(listed * 2);
    this.put('positions', positions);
    for (const field of ['ids', 'spans', 'weights'] as const) this.put(field, this.reserve(positions * 4).address);
    this.put('pairs', this.clear(listed * 24).address);
    this.put('pairTable', this.clear(slots * 4).address);
    this.put('pairMask', slots - 1);
    this.put('nodes', this.reserve(listed * 8).address);
    this.put('heap', this.reserve(listed * 16).address);
    this.put('tokens', this.reserve(tokens * 8).address);
    this.nameBytes();
    this.kernels.learn_begin(this.learner);
  }

  /** The most frequent pair; of equals the one whose left, then right token has the greater bytes. */
  best(): BestPair | undefined {
    const pair = this.kernels.learn_best(this.learner) >>> 2;
    return pair ? { left: this.words[pair]!, right: this.words[pair + 1]!, count: this.words[pair + 3]! * 2 ** 32 + this.words[pair + 2]! } : undefined;
  }

  /** Merges the best pair everywhere, into the next new token or one that there is. */
  merge(token: number): void {
    this.kernels.learn_merge(this.learner, token);
  }

  private nameBytes(): void {
    const bytes = this.place(Uint8Array.from({ length: 256 }, (_, byte) => byte));
    const tokens = this.look('tokens') >>> 2;
    for (let byte = 0; byte < 256; byte++) this.words.set([bytes + byte, 1], tokens + byte * 2);
    this.put('tokenCount', 256);
  }

  private growWords(): void {
    const { store } = this;
    const used = this.look('wordsEnd') - this.look('words');
    this.store = this.reserve(Math.max(store.bytes * 2, used + this.window.bytes * 2));
    this.octets.copyWithin(this.store.address, store.address, store.address + used);
    this.free(store);
    this.placeWords(used);
    const slots = (this.look('tableMask') + 1) * 2;
    const [table, bytes] = [this.look('table'), slots * 8];
    this.kernels.learn_rehash(this.learner, this.clear(slots * 16).address, slots - 1);
    this.free({ address: table, bytes });
  }

  private placeWords(used: number): void {
    const { address, bytes } = this.store;
    this.put('words', address);
    this.put('wordsEnd', address + used);
    this.put('wordsLimit', address + bytes);
  }

  private clear(bytes: number): Room {
    const room = this.reserve(bytes);
    this.octets.fill(0, room.address, room.address + bytes);
    return room;
  }

  private look(field: Field): number {
    return this.words[(this.learner >>> 2) + FIELDS.indexOf(field)]!;
  }

  private put(field: Field, value: number): void {
    this.words[(this.learner >>> 2) + FIELDS.indexOf(field)] = value;
  }
}
