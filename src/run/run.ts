import { StonechatError } from '../errors.js';
import type { Kernels } from '../kernels/instance.js';
import type { Pool } from '../kernels/pool.js';
import { SLOT } from '../kernels/steps.js';
import { KEY_BLOCK } from '../plan/plan.js';
import { type CacheParts, SequenceCache } from './cache.js';
import type { KvCache, Runner } from './types.js';
import { type History, writeWindows } from './windows.js';

export interface RunnerParts extends CacheParts {
  readonly pool: Pool;
  readonly maxBatch: number;
}

/** Ids in, logits out: sets the slots of the plan and lets the pool walk it. */
export class PlanRunner implements Runner {
  private logitsRows = 0;
  logitsAddress = 0;
  private disposed = false;
  private readonly live = new Set<KvCache>();

  constructor(private readonly parts: RunnerParts) {
    this.reserveLogits(1);
  }

  get kernels(): Kernels {
    return this.parts.kernels;
  }
  get threads(): number {
    return this.parts.pool.threads;
  }
  get vocabulary(): number {
    return this.parts.graph.vocabulary;
  }
  get contextLength(): number {
    return this.parts.contextLength;
  }
  get maxBatch(): number {
    return this.parts.maxBatch;
  }
  get logitsStride(): number {
    return this.parts.plan.logitsStride * 4;
  }

  newCache(tokens = this.contextLength): KvCache {
    return new SequenceCache(this.parts, Math.min(tokens, this.contextLength), this.live);
  }

  evaluate(cache: KvCache, ids: ArrayLike<number>, { logits = 'last' }: { logits?: 'last' | 'all' | 'none' } = {}): void {
    const owned = this.check(cache, ids);
    const { history } = owned;
    const count = ids.length;
    const first = logits === 'last' ? count - 1 : 0;
    this.reserveLogits(logits === 'all' ? count : 1);
    this.writeInputs(ids, cache.length);
    if (history) this.writeWindows(history, ids, cache.length);
    this.setSlots(count, cache.length, first, logits === 'none' ? 0 : count - first, owned);
    this.parts.pool.run();
    cache.length += count;
  }

  logits(row = 0): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, this.logitsAddress + row * this.logitsStride, this.vocabulary);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.live.clear();
    this.parts.pool.stop();
  }

  private check(cache: KvCache, ids: ArrayLike<number>): SequenceCache {
    if (this.disposed) {
      throw new StonechatError({ code: 'disposed', expected: 'a live model', found: 'one that was disposed', remedy: 'Load it again.' });
    }
    const count = ids.length;
    const room = cache.capacity - cache.length;
    if (count < 1 || count > Math.min(this.maxBatch, room)) {
      throw new StonechatError({
        code: count > room ? 'context-full' : 'bad-option',
        expected: `1 to ${Math.min(this.maxBatch, room)} ids (context of ${cache.capacity}, ${cache.length} used)`,
        found: String(count),
        remedy: 'Load with a larger contextLength, or shorten the prompt.',
      });
    }
    for (let i = 0; i < count; i++) {
      const id = ids[i]!;
      if (Number.isInteger(id) && id >= 0 && id < this.vocabulary) continue;
      throw new StonechatError({
        code: 'bad-option',
        expected: `token ids from 0 to ${this.vocabulary - 1}`,
        found: String(id),
        remedy: 'Encode the text with the tokenizer of this model.',
      });
    }
    return cache as SequenceCache;
  }

  private writeInputs(ids: ArrayLike<number>, position: number): void {
    const { plan } = this.parts;
    const { buffer } = this.kernels.memory;
    new Int32Array(buffer, plan.ids, ids.length).set(ids);
    const positions = new Int32Array(buffer, plan.positions, ids.length);
    for (let i = 0; i < ids.length; i++) positions[i] = position + i;
  }

  private writeWindows(history: History, ids: ArrayLike<number>, position: number): void {
    const window = this.parts.graph.window!;
    history.put(position, ids);
    writeWindows(new Int32Array(this.kernels.memory.buffer, this.parts.plan.windows, ids.length * window.width), history.ids, position, () => 0, window);
  }

  private setSlots(tokens: number, position: number, headFirst: number, headTokens: number, cache: SequenceCache): void {
    const { plan, pool, graph } = this.parts;
    const { attention_items: items } = this.kernels.exports;
    const { slots } = pool;
    slots[SLOT.tokens] = tokens;
    slots[SLOT.position] = position;
    slots[SLOT.headFirst] = headFirst;
    slots[SLOT.headPosition] = position + headFirst;
    slots[SLOT.headTokens] = headTokens;
    slots[SLOT.attentionItems] = items(tokens, graph.kvHeads);
    slots[SLOT.headAttentionItems] = items(headTokens, graph.kvHeads);
    slots[SLOT.kvCache] = cache.address;
    slots[SLOT.kvContext] = cache.blocks * KEY_BLOCK;
    slots[SLOT.kvLayer] = cache.blocks * plan.kvBlockBytes;
    slots[SLOT.logits] = this.logitsAddress;
    slots[SLOT.stepCount] = headTokens ? plan.steps.length : plan.headStart;
  }

  private reserveLogits(rows: number): void {
    if (rows <= this.logitsRows) return;
    const { arena } = this.parts;
    if (this.logitsRows) arena.release(this.logitsAddress, this.logitsRows * this.logitsStride);
    this.logitsAddress = arena.allocate(rows * this.logitsStride, 'the logits');
    this.logitsRows = rows;
  }
}
