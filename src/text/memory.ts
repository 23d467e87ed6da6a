import { Arena } from '../kernels/arena.js';
import { checkSize } from '../kernels/sizes.js';
import { classPage, PAGES } from './classes.js';
import type { Scanner } from './split.js';

/** The words of assembly/text/engine.ts, in its order. */
const FIELDS = [
  'text', 'textEnd', 'final', 'out', 'outEnd', 'need', 'scanner', 'flags', 'pages', 'latin', 'blob', 'starts', 'tokens',
  'table', 'tableMask', 'filter', 'filterMask', 'powers', 'maxLength', 'pairs', 'pairMask', 'ranks', 'bytes', 'fallback', 'unknown',
  'cache', 'cacheMask', 'cached', 'arena', 'arenaNext', 'arenaEnd', 'scratch', 'scratchBytes', 'bytePairs', 'span',
] as const;
type Field = (typeof FIELDS)[number];
const WORD = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<Field, number>;

/** What the kernels that read a window return. */
export const STATUS = { done: 0, outFull: 1, pageMissing: 2, scratchSmall: 3, wordsFull: 4 } as const;

/** Flags of a vocabulary stay when the scanner changes: IGNORE_MERGES, SPACE_MARK, FUSE_UNKNOWN, CROSSING. */
const VOCABULARY_FLAGS = 1 | 2 | 4 | 64;
const WINDOW_BYTES = 1 << 18;
/** What the kernels compute in 32 bits for a word (assembly/text/encode.ts, SCRATCH_PER_BYTE): the most for one of its bytes. */
const WORD_BYTES = 48;
/** The kernels may read this far behind a window, and write behind the ids. */
const SLACK = 64;

const utf8 = new TextEncoder();
export const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, least)));

export interface Room {
  address: number;
  bytes: number;
}

/** A WebAssembly memory that text goes through, window by window, with what its scanners need: buffers, character classes, the Engine struct. */
export class TextMemory {
  protected readonly arena: Arena;
  protected readonly engine: number;
  protected words: Uint32Array;
  protected octets: Uint8Array;
  protected window: Room;
  /** encodeInto cannot write into shared memory in every browser: with the shared twin, text goes through here. */
  protected readonly staging: boolean;

  /** `room`: bytes that will be needed. Growing at once costs less than little by little, above all while other threads touch new pages. */
  constructor(private readonly memory: WebAssembly.Memory, room = 0) {
    this.staging = !(memory.buffer instanceof ArrayBuffer);
    this.arena = new Arena(memory);
    this.arena.reserve(room, 'the tokenizer');
    this.engine = this.arena.allocate(FIELDS.length * 4, 'the tokenizer');
    this.words = new Uint32Array(memory.buffer);
    this.octets = new Uint8Array(memory.buffer);
    this.window = this.reserve(WINDOW_BYTES);
    this.buildClasses();
  }

  /** Sends a text through the window. `step` takes [Engine.text, Engine.textEnd) as far as it is sure and leaves Engine.text there. */
  protected feed(text: string, step: () => void): void {
    let taken = 0;
    let pending = 0;
    for (;;) {
      const { address, bytes } = this.window;
      const { read, written } = this.writeText(taken ? text.substring(taken) : text, address + pending, bytes - pending);
      taken += read;
      const end = address + pending + written;
      const final = taken >= text.length;
      this.openWindow(end, final);
      step();
      if (final) return;
      const rest = this.get('text');
      pending = end - rest;
      this.octets.copyWithin(address, rest, end);
      if (pending > bytes >> 1) this.growWindow(pending);
    }
  }

  protected openWindow(end: number, final: boolean): void {
    this.set('text', this.window.address);
    this.set('textEnd', end);
    this.set('final', final ? 1 : 0);
  }

  protected useScanner({ number, flags }: Scanner): void {
    this.set('scanner', number);
    this.set('flags', (this.get('flags') & VOCABULARY_FLAGS) | flags);
  }

  private buildClasses(): void {
    this.set('pages', this.reserve(PAGES * 4).address);
    this.fillPage(0);
    this.set('latin', this.words[this.get('pages') >> 2]!);
  }

  protected fillPage(page: number): void {
    const address = this.place(classPage(page));
    this.words[(this.get('pages') >> 2) + page] = address;
  }

  protected writeText(text: string, address: number, room: number): { read: number; written: number } {
    if (!this.staging) return utf8.encodeInto(text, this.octets.subarray(address, address + room));
    const bytes = new Uint8Array(room);
    const done = utf8.encodeInto(text, bytes);
    this.octets.set(bytes.subarray(0, done.written), address);
    return done;
  }

  /** A word must lie in the window whole: no word is longer than it. */
  protected growWindow(keep: number): void {
    const old = this.window;
    checkSize(old.bytes * 2 * WORD_BYTES + SLACK, 'a word of the text');
    this.window = this.reserve(old.bytes * 2);
    this.octets.copyWithin(this.window.address, old.address, old.address + keep);
    this.free(old);
  }

  protected exchange(old: Room, need: number): Room {
    this.free(old);
    return this.reserve(powerOfTwo(need));
  }

  protected place(bytes: Uint8Array): number {
    const { address } = this.reserve(bytes.length);
    this.octets.set(bytes, address);
    return address;
  }

  protected reserve(bytes: number): Room {
    const address = this.arena.allocate(bytes + SLACK, 'the tokenizer');
    if (this.words.buffer !== this.memory.buffer) {
      this.words = new Uint32Array(this.memory.buffer);
      this.octets = new Uint8Array(this.memory.buffer);
    }
    return { address, bytes };
  }

  protected free({ address, bytes }: Room): void {
    this.arena.release(address, bytes + SLACK);
  }

  protected get(field: Field): number {
    return this.words[(this.engine >> 2) + WORD[field]]!;
  }

  protected set(field: Field, value: number): void {
    this.words[(this.engine >> 2) + WORD[field]] = value;
  }
}
