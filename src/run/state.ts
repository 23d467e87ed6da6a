import { StonechatError } from '../errors.js';
import type { Arena } from '../kernels/arena.js';
import type { Kernels } from '../kernels/instance.js';
import { KEY_BLOCK, keyBlocks } from '../kernels/layout.js';
import { History } from './context-ids.js';
import type { SequenceState } from './types.js';

/** What sequences must know of their model. */
export interface StateParts {
  readonly kernels: Kernels;
  readonly arena: Arena;
  /** Bytes of a page: what all states take for KEY_BLOCK tokens; 0 where the model keeps none. */
  readonly pageBytes: number;
  readonly contextLength: number;
  /** Of all pages. */
  readonly maxCacheBytes: number;
  /** Tokens that any state must keep of a sequence's last ones; Infinity: all. */
  readonly window: number;
  /** The model looks back at ids. */
  readonly looksBack: boolean;
}

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

const overLimit = (most: number): StonechatError =>
  new StonechatError({ code: 'out-of-memory', expected: `KV caches of at most ${mib(most)} in all (maxCacheBytes)`, found: `the limit of ${mib(most)} reached`, remedy: 'Raise maxCacheBytes.' });

/** Memory of KEY_BLOCK tokens each, which sequences share that hold the same. */
class Pages {
  private readonly owners = new Map<number, number>();

  constructor(private readonly parts: StateParts) {}

  take(): number {
    const { pageBytes, maxCacheBytes } = this.parts;
    if ((this.owners.size + 1) * pageBytes > maxCacheBytes) throw overLimit(maxCacheBytes);
    const address = this.parts.arena.allocate(this.parts.pageBytes, 'the KV cache of a session');
    this.owners.set(address, 1);
    return address;
  }

  share(page: number): number {
    this.owners.set(page, this.owners.get(page)! + 1);
    return page;
  }

  isShared(page: number): boolean {
    return this.owners.get(page)! > 1;
  }

  release(page: number): void {
    const owners = this.owners.get(page)! - 1;
    if (owners > 0) return void this.owners.set(page, owners);
    this.owners.delete(page);
    this.parts.arena.release(page, this.parts.pageBytes);
  }

  copy(page: number): number {
    const copy = this.take();
    new Uint8Array(this.parts.kernels.memory.buffer).copyWithin(copy, page, page + this.parts.pageBytes);
    return copy;
  }
}

/** The sequences of one model, and the memory that they share. */
export class States {
  readonly live = new Set<SequenceState>();
  readonly pages: Pages;

  constructor(readonly parts: StateParts) {
    this.pages = new Pages(parts);
  }

  newSequence(tokens: number): PagedSequence {
    const sequence = new PagedSequence(this);
    this.live.add(sequence);
    try {
      sequence.reserve(tokens);
    } catch (error) {
      sequence.release();
      throw error;
    }
    return sequence;
  }
}

const TABLE_ENTRIES = 16;

/** Keys and values of one sequence: pages of KEY_BLOCK tokens at absolute positions, and a table of their addresses. */
export class PagedSequence implements SequenceState {
  length = 0;
  /** Address of the page table, u32 [pages]; 0: none yet. */
  table = 0;
  /** The ids of the sequence, where the model looks back at them. */
  readonly history: History | undefined;
  private readonly held: number[] = [];
  /** Pages from the first on that have been given back. */
  private forgotten = 0;
  private entries = 0;
  private alive = true;

  constructor(private readonly states: States) {
    this.history = states.parts.looksBack ? new History() : undefined;
  }

  get pages(): readonly number[] {
    return this.held.slice(this.forgotten, keyBlocks(this.length));
  }

  get capacity(): number {
    const { pageBytes, contextLength } = this.states.parts;
    return pageBytes ? Math.min(this.held.length * KEY_BLOCK, contextLength) : contextLength;
  }

  reserve(tokens: number): void {
    const { parts, pages } = this.states;
    if (parts.pageBytes === 0) return;
    const before = this.held.length;
    const wanted = Math.max(before, keyBlocks(Math.min(tokens, parts.contextLength)));
    try {
      while (this.held.length < wanted) this.held.push(pages.take());
      if (tokens > this.length) this.ownLastPage();
      this.writeTable();
    } catch (cause) {
      for (const page of this.held.splice(before)) pages.release(page);
      throw this.refusal(wanted, cause);
    }
  }

  /** What comes next is written behind what others may hold too. */
  private ownLastPage(): void {
    const { pages } = this.states;
    const last = Math.floor(this.length / KEY_BLOCK), page = this.held[last];
    if (this.length % KEY_BLOCK === 0 || page === undefined || !pages.isShared(page)) return;
    this.held[last] = pages.copy(page);
    pages.release(page);
  }

  keep(count: number): number {
    const kept = Math.max(0, Math.min(this.length, count));
    // What windows saw before that point may be gone: then nothing can go on from there.
    this.length = this.firstNeeded(kept) < this.forgotten ? 0 : kept;
    this.giveBack(keyBlocks(this.length));
    if (this.length === 0) this.forgotten = 0;
    return this.length;
  }

  /** A run has added so many tokens. Pages that no window reaches any more go. */
  add(count: number): void {
    this.length += count;
    const first = this.firstNeeded(this.length);
    for (; this.forgotten < first; this.forgotten++) this.states.pages.release(this.held[this.forgotten]!);
  }

  /** The first page that is needed to go on from a length. */
  private firstNeeded(length: number): number {
    return Math.floor(Math.max(0, length + 1 - this.states.parts.window) / KEY_BLOCK);
  }

  fork(): SequenceState {
    const fork = new PagedSequence(this.states);
    this.states.live.add(fork);
    fork.length = this.length;
    fork.forgotten = this.forgotten;
    this.held.slice(0, keyBlocks(this.length)).forEach((page, i) => fork.held.push(i < this.forgotten ? page : this.states.pages.share(page)));
    if (this.history) fork.history!.put(0, this.history.ids.subarray(0, this.length));
    fork.writeTable();
    return fork;
  }

  release(): void {
    // Gone from the set already where the model was disposed, and its memory with it.
    if (this.alive && this.states.live.delete(this)) {
      this.giveBack(0);
      if (this.entries) this.states.parts.arena.release(this.table, this.entries * 4);
    }
    this.alive = false;
    this.length = 0;
  }

  private giveBack(kept: number): void {
    this.held.splice(kept).forEach((page, i) => kept + i >= this.forgotten && this.states.pages.release(page));
    this.forgotten = Math.min(this.forgotten, kept);
  }

  private writeTable(): void {
    const { arena, kernels } = this.states.parts;
    if (this.held.length > this.entries) {
      const entries = Math.max(TABLE_ENTRIES, 2 ** Math.ceil(Math.log2(this.held.length)));
      const table = arena.allocate(entries * 4, 'the pages of a session');
      if (this.entries) arena.release(this.table, this.entries * 4);
      this.table = table;
      this.entries = entries;
    }
    if (this.entries) new Uint32Array(kernels.memory.buffer, this.table, this.held.length).set(this.held);
  }

  private refusal(pages: number, cause: unknown): StonechatError {
    const count = this.states.live.size;
    const known = cause instanceof StonechatError ? `, ${cause.found}` : '';
    return new StonechatError({
      code: 'out-of-memory',
      expected: `room for the KV cache of a session within the 4 GiB of WebAssembly memory`,
      found: `none for ${mib(pages * this.states.parts.pageBytes)} (${pages * KEY_BLOCK} tokens) beside the caches of ${count} live session${count === 1 ? '' : 's'}${known}`,
      remedy: `${count ? 'Dispose of sessions that are no longer used (session.dispose(), or `using`), load' : 'Load'} the model with a shorter contextLength or kvCache "q8_0", or use a smaller model.`,
      cause,
    });
  }
}
