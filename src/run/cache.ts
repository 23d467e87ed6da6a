import { StonechatError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { Arena } from '../kernels/arena.js';
import type { Kernels } from '../kernels/instance.js';
import { KEY_BLOCK, keyBlocks, type Plan } from '../plan/plan.js';
import type { KvCache } from './types.js';
import { History } from './windows.js';

/** What a cache must know of its model. */
export interface CacheParts {
  readonly graph: Graph;
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly plan: Plan;
  readonly contextLength: number;
}

/** The keys and values of one sequence: layer by layer, head by head, blocks of KEY_BLOCK tokens at absolute positions. */
export class SequenceCache implements KvCache {
  length = 0;
  address: number;
  /** Of keys, that there is memory for. */
  blocks: number;
  capacity: number;
  /** The ids of the sequence, where the model looks back at them. */
  readonly history: History | undefined;
  private held = true;

  /** `live`: the caches of the same model. */
  constructor(private readonly parts: CacheParts, tokens: number, private readonly live: Set<KvCache>) {
    this.blocks = keyBlocks(tokens);
    this.capacity = this.tokensIn(this.blocks);
    this.address = this.allocate(this.blocks);
    this.history = parts.graph.window && new History();
    live.add(this);
  }

  reserve(tokens: number): void {
    if (tokens <= this.capacity) return;
    const { address, blocks } = this;
    const more = keyBlocks(Math.min(tokens, this.parts.contextLength));
    if (more <= blocks) return;
    const stays = this.extend(more);
    if (!stays) this.address = this.allocate(more);
    this.blocks = more;
    this.capacity = this.tokensIn(more);
    this.moveFrom(address, blocks);
    if (!stays) this.free(address, blocks);
  }

  release(): void {
    // Gone from the set already where the model was disposed, and its memory with it.
    if (this.held && this.live.delete(this)) this.free(this.address, this.blocks);
    this.held = false;
  }

  private tokensIn(blocks: number): number {
    return Math.min(blocks * KEY_BLOCK, this.parts.contextLength);
  }

  private bytes(blocks: number): number {
    return blocks * this.parts.plan.kvBlockBytes * this.parts.graph.layers;
  }

  private free(address: number, blocks: number): void {
    this.parts.arena.release(address, this.bytes(blocks));
  }

  /** Takes the memory behind its own, so that a cache that is alone needs no room for two. */
  private extend(blocks: number): boolean {
    try {
      return this.parts.arena.extend({ address: this.address, bytes: this.bytes(this.blocks) }, this.bytes(blocks));
    } catch {
      return false; // there may be room elsewhere
    }
  }

  private allocate(blocks: number): number {
    const { arena } = this.parts;
    try {
      return arena.allocate(this.bytes(blocks), 'the KV cache of a session');
    } catch (cause) {
      throw this.refusal(blocks, cause);
    }
  }

  /** Of each head, what is held; the last first, since it may move within the same memory, upwards. */
  private moveFrom(address: number, blocks: number): void {
    const { graph, kernels, plan } = this.parts;
    const heads = graph.kvHeads * graph.layers;
    const block = heads && plan.kvBlockBytes / graph.kvHeads;
    const { buffer } = kernels.memory;
    const used = keyBlocks(this.length) * block;
    for (let head = heads - 1; head >= 0; head--) {
      const from = address + head * blocks * block;
      new Uint8Array(buffer, this.address + head * this.blocks * block, used).set(new Uint8Array(buffer, from, used));
    }
  }

  private refusal(blocks: number, cause: unknown): StonechatError {
    const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
    const count = this.live.size;
    const known = cause instanceof StonechatError ? `, ${cause.found}` : '';
    return new StonechatError({
      code: 'out-of-memory',
      expected: `room for the KV cache of a session within the 4 GiB of WebAssembly memory`,
      found: `none for ${mib(this.bytes(blocks))} (${blocks * KEY_BLOCK} tokens) beside the caches of ${count} live session${count === 1 ? '' : 's'}${known}`,
      remedy: `${count ? 'Dispose of sessions that are no longer used (session.dispose(), or `using`), load' : 'Load'} the model with a shorter contextLength or kvCache "q8_0", or use a smaller model.`,
      cause,
    });
  }
}
