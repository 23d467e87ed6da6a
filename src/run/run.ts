import { StonechatError } from '../errors.js';
import type { Graph, Input } from '../graph/graph.js';
import type { Rows, RowTable } from '../graph/node.js';
import type { Arena } from '../kernels/arena.js';
import type { Kernels } from '../kernels/instance.js';
import type { Pool } from '../kernels/pool.js';
import { SLOT } from '../kernels/steps.js';
import { INPUT_OF, TABLE_OF } from '../plan/addresses.js';
import type { Plan } from '../plan/plan.js';
import { writeContextIds } from './context-ids.js';
import { type PagedSequence, States } from './state.js';
import type { Runner, SequenceState, Span } from './types.js';

export interface RunnerParts {
  readonly graph: Graph;
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly plan: Plan;
  readonly pool: Pool;
  readonly contextLength: number;
  readonly maxBatch: number;
  /** Bytes of the states of all sequences. Default: as many as there are. */
  readonly maxCacheBytes?: number | undefined;
}

type ContextIds = Extract<Input, { kind: 'contextIds' }>;

/** A span's rows within the run. */
interface Placed {
  readonly sequence: PagedSequence;
  readonly ids: ArrayLike<number>;
  readonly first: number;
  /** The first row whose logits are wanted, counted within the span. */
  readonly wanted: number;
}

/** Tokens that the widest attention reaches back. */
const windowOf = ({ states }: Graph): number => Math.max(0, ...states.map(({ window }) => window || Infinity));

/** Ids in, logits out: writes the tables and slots of the plan and lets the pool walk it. */
export class PlanRunner implements Runner {
  readonly vocabulary: number;
  private logitsRows = 0;
  logitsAddress = 0;
  private disposed = false;
  private readonly states: States;
  private readonly contextIds: readonly (readonly [name: string, input: ContextIds])[];

  constructor(private readonly parts: RunnerParts) {
    const { graph, plan, kernels, arena, contextLength, maxCacheBytes = Infinity } = parts;
    this.vocabulary = plan.vocabulary;
    this.contextIds = Object.entries(graph.inputs).filter((entry): entry is [string, ContextIds] => entry[1].kind === 'contextIds');
    this.states = new States({ kernels, arena, pageBytes: plan.pageBytes, contextLength, maxCacheBytes, window: windowOf(graph), looksBack: this.contextIds.length > 0 });
    this.reserveLogits(1);
  }

  get kernels(): Kernels {
    return this.parts.kernels;
  }
  get threads(): number {
    return this.parts.pool.threads;
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

  get pageBytes(): number {
    return this.parts.plan.pageBytes;
  }
  get arena(): Arena {
    return this.parts.arena;
  }

  newSequence(tokens = 0): SequenceState {
    return this.states.newSequence(Math.min(tokens, this.contextLength));
  }

  restoreSequence(tokens: number, fill: (pages: readonly number[]) => void): SequenceState {
    const sequence = this.states.newSequence(tokens);
    sequence.length = tokens;
    fill(sequence.pages);
    return sequence;
  }

  run(spans: readonly Span[]): void {
    const placed = this.check(spans);
    const rows = placed.reduce((sum, { ids }) => sum + ids.length, 0);
    const wanted = placed.reduce((sum, { ids, wanted: first }) => sum + ids.length - first, 0);
    this.reserveLogits(wanted);
    for (const { sequence, ids } of placed) sequence.reserve(sequence.length + ids.length);
    this.writeInputs(placed, rows);
    const tiles = this.writeTables(placed, 'all', rows), outputTiles = this.writeTables(placed, 'output', wanted);
    this.setSlots(rows, wanted, tiles, outputTiles);
    this.parts.pool.run();
    for (const { sequence, ids } of placed) sequence.add(ids.length);
  }

  logits(row = 0): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, this.logitsAddress + row * this.logitsStride, this.vocabulary);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.states.live.clear();
    this.parts.pool.stop();
  }

  private check(spans: readonly Span[]): Placed[] {
    if (this.disposed) {
      throw new StonechatError({ code: 'disposed', expected: 'a live model', found: 'one that was disposed', remedy: 'Load it again.' });
    }
    let first = 0;
    return spans.map(({ sequence, ids, logits }) => {
      this.checkLength(sequence, ids.length, this.maxBatch - first);
      this.checkIds(ids);
      first += ids.length;
      const wanted = { none: ids.length, last: ids.length - 1, all: 0 }[logits];
      return { sequence: sequence as PagedSequence, ids, first: first - ids.length, wanted };
    });
  }

  private checkLength({ length }: SequenceState, count: number, left: number): void {
    const room = this.contextLength - length;
    if (count >= 1 && count <= Math.min(left, room)) return;
    throw new StonechatError({
      code: count > room ? 'context-full' : 'bad-option',
      expected: `1 to ${Math.min(left, room)} ids (context of ${this.contextLength}, ${length} used)`,
      found: String(count),
      remedy: 'Load with a larger contextLength, or shorten the prompt.',
    });
  }

  private checkIds(ids: ArrayLike<number>): void {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (Number.isInteger(id) && id >= 0 && id < this.vocabulary) continue;
      throw new StonechatError({
        code: 'bad-option',
        expected: `token ids from 0 to ${this.vocabulary - 1}`,
        found: String(id),
        remedy: 'Encode the text with the tokenizer of this model.',
      });
    }
  }

  private numbers(name: string, count: number): Int32Array {
    return new Int32Array(this.kernels.memory.buffer, this.parts.plan.addressOf(name), count);
  }

  private writeInputs(placed: readonly Placed[], rows: number): void {
    for (const [name, { kind }] of Object.entries(this.parts.graph.inputs)) {
      if (kind !== 'ids') continue;
      const out = this.numbers(INPUT_OF(name), rows);
      for (const { ids, first } of placed) out.set(ids, first);
    }
    for (const [name, input] of this.contextIds) {
      const out = this.numbers(INPUT_OF(name), rows * input.width);
      for (const { sequence: { history, length }, ids, first } of placed) {
        history!.put(length, ids);
        writeContextIds(out.subarray(first * input.width, (first + ids.length) * input.width), history!.ids, length, () => 0, input);
      }
    }
  }

  /** What the kernels must know of each row, of all or of those whose logits are wanted. Returns the number of tiles. */
  private writeTables(placed: readonly Placed[], of: Rows, count: number): number {
    const table = (name: RowTable, per = 1) => this.numbers(TABLE_OF(name, of), count * per);
    const positions = table('positions'), pages = table('pages'), tiles = table('tiles', 2);
    const rows = of === 'output' ? table('rows') : undefined;
    const most = this.kernels.exports.attention_tile_rows();
    let row = 0, tile = 0;
    for (const { sequence, ids, first, wanted } of placed) {
      const start = of === 'all' ? 0 : wanted;
      for (let i = start; i < ids.length; i++, row++) {
        if ((i - start) % most === 0) tiles.set([row, Math.min(most, ids.length - i)], 2 * tile++);
        positions[row] = sequence.length + i;
        pages[row] = sequence.table;
        if (rows) rows[row] = first + i;
      }
    }
    return tile;
  }

  private setSlots(tokens: number, outputTokens: number, tiles: number, outputTiles: number): void {
    const { plan, pool: { slots } } = this.parts;
    slots[SLOT.tokens] = tokens;
    slots[SLOT.outputTokens] = outputTokens;
    slots[SLOT.tiles] = tiles;
    slots[SLOT.outputTiles] = outputTiles;
    slots[SLOT.logits] = this.logitsAddress;
    slots[SLOT.stepCount] = outputTokens ? plan.steps.length : plan.outputStart;
  }

  private reserveLogits(rows: number): void {
    if (rows <= this.logitsRows) return;
    const { arena } = this.parts;
    if (this.logitsRows) arena.release(this.logitsAddress, this.logitsRows * this.logitsStride);
    this.logitsAddress = arena.allocate(rows * this.logitsStride, 'the logits');
    this.logitsRows = rows;
  }
}
