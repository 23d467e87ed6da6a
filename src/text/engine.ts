import { instantiateKernels, onOwnMemory, type Kernels } from '../kernels/instance.js';
import { StringList } from '../files/strings.js';
import { LETTER_BYTES } from './alphabet.js';
import type { Ids } from './ids.js';
import { powerOfTwo, STATUS, TextMemory, type Room } from './memory.js';
import { byteOf, idsOfType, TOKEN, type MergeModel, type Merges, type TokenizerSpec } from './spec.js';
import type { Scanner } from './split.js';
import { atOnce, type Turns } from './turns.js';

/** A compiled kernel module (`Kernels` will do). The twin without shared memory is a little faster here. */
export type KernelSource = Pick<Kernels, 'module' | 'build'>;

const FLAG = { ignoreMerges: 1, spaceMark: 2, fuseUnknown: 4 };
const NONE = 0xffffffff;
const OUT_BYTES = 1 << 18;
const SPANS = 1 << 16;
const CACHE_SLOTS = 1 << 17;
const CACHE_ARENA = 1 << 21;
/** The cache, the buffers, what is allocated beside the tables. */
const FIXED_BYTES = OUT_BYTES + SPANS * 4 + CACHE_SLOTS * 32 + CACHE_ARENA + (2 << 20);
/** Most bytes that a token takes in its tables, and a merge in its: two slots of 16 bytes, or the double of that, since slots come in powers of two. */
const TOKEN_BYTES = 80;
const MERGE_BYTES = 64;
const utf8 = new TextEncoder();

/** About what the tables of a vocabulary will take. */
function tablesBytes({ tokens }: TokenizerSpec, { merges, tokenBytes }: MergeModel): number {
  const lists = tokens.block.length + (tokenBytes?.blob.length ?? 0) + (merges instanceof StringList ? merges.block.length : 0);
  return lists + tokens.length * TOKEN_BYTES + (merges?.length ?? 0) * MERGE_BYTES;
}

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
    super(kernels.memory, FIXED_BYTES + tablesBytes(spec, model));
    this.kernels = kernels;
    this.out = this.reserve(OUT_BYTES);
    this.spans = this.reserve(SPANS * 4).address;
    this.set('flags', (model.ignoreMerges ? FLAG.ignoreMerges : 0) | (model.writing === 'marked' ? FLAG.spaceMark : 0) | (model.fuseUnknown ? FLAG.fuseUnknown : 0));
    this.buildCache();
    this.buildVocabulary(spec, model);
    if (model.merges) this.buildMerges(model.merges, model);
    else if (model.scores) this.rank(model.scores);
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

  /** The same with turns in between: nothing of the text stays in the window meanwhile, so that others may be encoded. */
  *encodeInTurns(text: string, scanner: Scanner, ids: Ids): Turns<void> {
    for (let done = 0; done < text.length; ) {
      this.useScanner(scanner);
      const { address, bytes } = this.window;
      const { read, written } = this.writeText(done ? text.substring(done) : text, address, bytes);
      const end = address + written;
      this.openWindow(end, done + read >= text.length);
      this.drive(() => this.kernels.exports.text_encode(this.engine), ids);
      const rest = this.get('text');
      done += read - new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.octets.slice(rest, end)).length;
      if (end - rest > this.window.bytes >> 1) this.growWindow(0);
      yield done;
    }
  }

  /** Encodes a text whose pieces are known; `lengths` in UTF-16 units. */
  encodePieces(text: string, lengths: readonly number[], ids: Ids): void {
    atOnce(this.piecesInTurns(text, lengths, ids));
  }

  *piecesInTurns(text: string, lengths: readonly number[], ids: Ids): Turns<void> {
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
      yield taken;
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
    const starts = this.reserve((tokens.length + 1) * 4).address;
    this.set('tokens', tokens.length);
    this.set('starts', starts);
    if (model.tokenBytes) {
      this.set('blob', this.place(model.tokenBytes.blob));
      this.words.set(model.tokenBytes.starts, starts >> 2);
    } else this.kernels.exports.text_tokens(this.engine, this.place(tokens.block), this.place(types), this.alphabet(model));
    this.indexVocabulary(tokens.length);
  }

  private indexVocabulary(count: number): void {
    const longest = this.kernels.exports.text_longest(this.engine);
    const slots = powerOfTwo(count * 2);
    this.set('maxLength', longest);
    this.set('powers', this.reserve((longest + 1) * 4).address);
    const table = this.reserve(slots * 16).address;
    this.set('table', table);
    this.set('tableMask', slots - 1);
    this.set('filter', this.reserve(slots / 2).address); // 4 bits a slot, 8 or more a token
    this.set('filterMask', slots * 4 - 1);
    this.octets.fill(0, table, table + slots * 16); // written before it is read, a new page costs one fault instead of two
    this.kernels.exports.text_index(this.engine);
  }

  private rank({ buffer, byteOffset, byteLength }: Float32Array): void {
    this.set('ranks', this.place(new Uint8Array(buffer, byteOffset, byteLength)));
    this.kernels.exports.text_ranks(this.engine);
  }

  private buildMerges(merges: Merges, model: MergeModel): void {
    const slots = powerOfTwo(merges.length * 2);
    const pairs = this.reserve(slots * 16);
    this.octets.fill(0xff, pairs.address, pairs.address + pairs.bytes);
    this.set('pairs', pairs.address);
    this.set('pairMask', slots - 1);
    const joined = merges instanceof StringList;
    const { block } = joined ? merges : StringList.from(merges.flat());
    const address = this.place(block);
    this.kernels.exports.text_merges(this.engine, address, merges.length, joined, this.alphabet(model));
    this.free({ address, bytes: block.length });
  }

  private alphabet({ writing }: MergeModel): number {
    return writing === 'alphabet' ? this.place(new Uint8Array(LETTER_BYTES.buffer)) : 0;
  }

  private buildSymbols({ tokens, types, unk }: TokenizerSpec, model: MergeModel): void {
    const fallback = model.byteIds?.slice() ?? new Uint32Array(256).fill(NONE);
    if (!model.byteIds) for (const id of idsOfType(types, TOKEN.byte)) fallback[byteOf(tokens, id)] = id;
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

  private growScratch(need: number): void {
    const old = { address: this.get('scratch'), bytes: this.get('scratchBytes') };
    const scratch = old.bytes ? this.exchange(old, need) : this.reserve(Math.max(need, 1 << 16));
    this.set('scratch', scratch.address);
    this.set('scratchBytes', scratch.bytes);
  }
}
