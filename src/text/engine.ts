import { instantiateKernels, onOwnMemory, type Kernels } from '../kernels/instance.js';
import { StonechatError } from '../errors.js';
import { LETTER_BYTES } from './alphabet.js';
import type { Ids } from './ids.js';
import { powerOfTwo, STATUS, TextMemory, type Room } from './memory.js';
import { TOKEN, type MergeModel, type Merges, type TokenizerSpec } from './spec.js';
import type { Scanner } from './split.js';

/** A compiled kernel module (`Kernels` will do). The twin without shared memory is a little faster here. */
export type KernelSource = Pick<Kernels, 'module' | 'build'>;

const FLAG = { ignoreMerges: 1, spaceMark: 2, fuseUnknown: 4 };
const NONE = 0xffffffff;
/** What may stand between the strings of a list handed to the kernels: one that no string holds (Baichuan has a token U+FFFF). */
const SEPARATORS = ['\uffff', '\ufffe', '\ufdd0', '\ufdd1', '\ufdef'];

const OUT_BYTES = 1 << 18;
const SPANS = 1 << 16;
const CACHE_SLOTS = 1 << 17;
const CACHE_ARENA = 1 << 21;
const utf8 = new TextEncoder();

/**
 * A vocabulary and its merges in a WebAssembly memory of their own. Text goes in window by window, ids come out:
 * splitting, the cache of known words and the merging all run in the kernels (assembly/text).
 */
export class MergeEngine extends TextMemory {
  private readonly kernels: Kernels;
  private out: Room;
  private readonly spans: number;

  constructor(source: KernelSource, spec: TokenizerSpec, model: MergeModel) {
    const kernels = onOwnMemory((memory) => instantiateKernels(source.module, source.build, memory));
    super(kernels.memory);
    this.kernels = kernels;
    this.out = this.reserve(OUT_BYTES);
    this.spans = this.reserve(SPANS * 4).address;
    this.set('flags', (model.ignoreMerges ? FLAG.ignoreMerges : 0) | (model.writing === 'marked' ? FLAG.spaceMark : 0) | (model.fuseUnknown ? FLAG.fuseUnknown : 0));
    this.buildCache();
    this.buildVocabulary(spec, model);
    if (model.merges) this.buildMerges(model);
    else if (model.ranks) this.set('ranks', this.place(new Uint8Array(model.ranks.buffer, model.ranks.byteOffset, model.ranks.byteLength)));
    this.buildSymbols(spec, model);
  }

  /** The bytes of a token that text can form (none for the others), as a view that holds until the next encode. */
  tokenBytes(id: number): Uint8Array {
    const at = (this.get('starts') >> 2) + id;
    const blob = this.get('blob');
    const [from, to] = [blob + this.words[at]!, blob + this.words[at + 1]!];
    return this.staging ? this.octets.slice(from, to) : this.octets.subarray(from, to);
  }

  /** Encodes a text, split by a scanner. */
  encode(text: string, scanner: Scanner, ids: Ids): void {
    this.useScanner(scanner);
    this.feed(text, () => this.drive(() => this.kernels.exports.text_encode(this.engine), ids));
  }

  /** Encodes a text whose pieces are known; `lengths` in UTF-16 units. */
  encodePieces(text: string, lengths: readonly number[], ids: Ids): void {
    let taken = 0;
    for (let first = 0; first < lengths.length; ) {
      let units = lengths[first]!;
      let next = first + 1;
      while (units * 3 > this.window.bytes) this.growWindow(0);
      for (; next < lengths.length && next - first < SPANS && (units + lengths[next]!) * 3 <= this.window.bytes; next++) units += lengths[next]!;
      this.words.set(lengths.slice(first, next), this.spans >> 2);
      const { address, bytes } = this.window;
      this.writeText(text.substring(taken, taken + units), address, bytes);
      this.set('text', address);
      this.set('span', 0);
      this.drive(() => this.kernels.exports.text_encode_spans(this.engine, this.spans, next - first), ids);
      taken += units;
      first = next;
    }
  }

  /** Lengths in bytes of the pieces that a scanner makes of a text. For tests. */
  split(text: string, scanner: Scanner): number[] {
    this.useScanner(scanner);
    const bytes = utf8.encode(text);
    while (bytes.length > this.window.bytes) this.growWindow(0);
    if (bytes.length * 4 > this.out.bytes) this.out = this.reserve(bytes.length * 4);
    this.octets.set(bytes, this.window.address);
    this.openWindow(this.window.address + bytes.length, true);
    this.set('out', this.out.address);
    while (this.kernels.exports.text_split(this.engine) === STATUS.pageMissing) this.fillPage(this.get('need') - 1);
    return [...this.words.subarray(this.out.address >> 2, this.get('out') >> 2)];
  }

  /** Calls the kernel until it is done, giving it what it lacks; ids go to the list. */
  private drive(step: () => number, ids: Ids): void {
    for (;;) {
      this.set('out', this.out.address);
      this.set('outEnd', this.out.address + this.out.bytes);
      const status = step();
      ids.append(new Int32Array(this.words.buffer, this.out.address, (this.get('out') - this.out.address) >> 2));
      if (status === STATUS.done) return;
      const need = this.get('need');
      if (status === STATUS.pageMissing) this.fillPage(need - 1);
      else if (status === STATUS.outFull && need > this.out.bytes) this.out = this.exchange(this.out, need);
      else if (status === STATUS.scratchSmall) this.growScratch(need);
    }
  }

  private buildVocabulary({ tokens, types }: TokenizerSpec, model: MergeModel): void {
    const count = tokens.length;
    const starts = this.reserve((count + 1) * 4).address;
    this.set('tokens', count);
    this.set('starts', starts);
    if (model.tokenBytes) {
      this.set('blob', this.place(model.tokenBytes.blob));
      this.words.set(model.tokenBytes.starts, starts >> 2);
    } else {
      const formed = tokens.map((token, id) => (types[id] === TOKEN.normal || types[id] === TOKEN.unused ? token : ''));
      const list = this.writeList(formed, model.writing === 'marked');
      const found = this.kernels.exports.text_tokens(this.engine, list.address, list.end, list.separator, this.alphabet(model));
      if (found !== count) throw unwritable(found, count);
    }
    this.indexVocabulary(count, starts);
  }

  private indexVocabulary(count: number, starts: number): void {
    let longest = 1;
    const from = starts >> 2;
    for (let id = 0; id < count; id++) longest = Math.max(longest, this.words[from + id + 1]! - this.words[from + id]!);
    const slots = powerOfTwo(count * 2);
    this.set('maxLength', longest);
    this.set('powers', this.reserve((longest + 1) * 4).address);
    this.set('table', this.reserve(slots * 16).address);
    this.set('tableMask', slots - 1);
    this.set('filter', this.reserve(slots / 2).address); // 4 bits a slot, 8 or more a token
    this.set('filterMask', slots * 4 - 1);
    this.kernels.exports.text_index(this.engine);
  }

  private buildMerges(model: MergeModel): void {
    const merges = model.merges!;
    const joined = typeof merges[0] !== 'object';
    const slots = powerOfTwo(merges.length * 2);
    const pairs = this.reserve(slots * 16);
    this.octets.fill(0xff, pairs.address, pairs.address + pairs.bytes);
    this.set('pairs', pairs.address);
    this.set('pairMask', slots - 1);
    if (!merges.length) return;
    const marked = model.writing === 'marked';
    const list = this.writeList(mergeStrings(merges, joined && marked), marked);
    const found = this.kernels.exports.text_merges(this.engine, list.address, list.end, list.separator, this.alphabet(model), joined && !marked);
    this.arena.release(list.address, list.bytes);
    if (found !== merges.length) throw unwritable(found, merges.length);
  }

  private alphabet({ writing }: MergeModel): number {
    return writing === 'alphabet' ? this.place(new Uint8Array(LETTER_BYTES.buffer)) : 0;
  }

  private buildSymbols({ tokens, types, unk }: TokenizerSpec, model: MergeModel): void {
    const fallback = model.byteIds?.slice() ?? new Uint32Array(256).fill(NONE);
    tokens.forEach((token, id) => {
      if (types[id] === TOKEN.byte && !model.byteIds) fallback[Number.parseInt(token.slice(3, 5), 16) & 255] = id;
    });
    this.set('fallback', this.place(new Uint8Array(fallback.buffer)));
    this.set('unknown', unk ?? NONE);
    if (model.symbols !== 'bytes') return;
    const symbols = new Uint32Array(256);
    const { address } = this.window;
    for (let byte = 0; byte < 256; byte++) {
      this.octets[address] = byte;
      symbols[byte] = this.kernels.exports.text_find(this.engine, address, 1);
    }
    this.set('bytes', this.place(new Uint8Array(symbols.buffer)));
    this.set('bytePairs', this.reserve(65536 * 8).address);
    this.kernels.exports.text_byte_pairs(this.engine, address);
  }

  private buildCache(): void {
    const cache = this.reserve(CACHE_SLOTS * 32); // before anything is released, so that it is fresh and zero
    this.set('cache', cache.address);
    this.set('cacheMask', CACHE_SLOTS - 1);
    const arena = this.reserve(CACHE_ARENA);
    this.set('arena', arena.address);
    this.set('arenaNext', arena.address);
    this.set('arenaEnd', arena.address + arena.bytes);
  }

  /** Strings as one block of UTF-8 with separators; `marked`: U+2581 becomes a space. */
  private writeList(strings: readonly string[], marked: boolean): Room & { end: number; separator: number } {
    const character = SEPARATORS.find((candidate) => !strings.some((string) => string.includes(candidate))) ?? SEPARATORS[0]!;
    const [first, second, third] = utf8.encode(character);
    const text = strings.join(character);
    const list = this.reserve(text.length * 3);
    const end = list.address + this.writeText(text, list.address, list.bytes).written;
    return { ...list, end: marked ? this.unmark(list.address, end) : end, separator: first! | (second! << 8) | (third! << 16) };
  }

  /** U+2581 (e2 96 81) to a space; returns the new end. */
  private unmark(address: number, end: number): number {
    const { octets } = this;
    let to = address;
    for (let from = address; from < end; from++) {
      const mark = octets[from] === 0xe2 && octets[from + 1] === 0x96 && octets[from + 2] === 0x81;
      octets[to++] = mark ? 0x20 : octets[from]!;
      if (mark) from += 2;
    }
    return to;
  }

  private growScratch(need: number): void {
    const old = { address: this.get('scratch'), bytes: this.get('scratchBytes') };
    const scratch = old.bytes ? this.exchange(old, need) : this.reserve(Math.max(need, 1 << 16));
    this.set('scratch', scratch.address);
    this.set('scratchBytes', scratch.bytes);
  }
}

/** "left right" stays one string, except where marks are about to become spaces too. */
function mergeStrings(merges: Merges, halve: boolean): readonly string[] {
  if (typeof merges[0] === 'object') return (merges as readonly (readonly string[])[]).flat();
  const joined = merges as readonly string[];
  return halve ? joined.flatMap((merge) => merge.split(' ')) : joined;
}

const unwritable = (found: number, count: number) =>
  new StonechatError({
    code: 'bad-file',
    expected: `${count} vocabulary entries or merges, each of its own`,
    found: `text that reads as ${found}`,
    remedy: 'The tokenizer file is damaged; download it again.',
  });
