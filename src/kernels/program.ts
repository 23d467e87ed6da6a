import { Barriers, type Region } from './barriers.js';
import type { KernelName } from './instance.js';
import { BufferSpace } from './space.js';
import { type Argument, constant, type Step } from './steps.js';

/**
 * Memory that lives from the first call that names it to the last. One with an `at` lies elsewhere: at an argument that
 * the run sets (the KV cache, the logits), or at the address that is known by this name once all is placed (a weight, an input).
 */
export interface Buffer {
  readonly id: number;
  readonly bytes: number;
  readonly at?: Argument | string;
}

/** An address within a buffer that has no place yet. */
export interface Spot {
  readonly buffer: Buffer;
  readonly offset: number;
  /** The call writes there, and may read it too. */
  readonly writes?: boolean;
}

export type Operand = number | Argument | Spot;

interface Call {
  readonly kernel: KernelName;
  readonly operands: readonly Operand[];
  readonly items: Argument | null;
}

export interface Placing {
  /** Addresses of what lies outside, by name. */
  readonly addresses?: ReadonlyMap<string, number | Argument>;
  /** Calls for which a buffer rests before its space is used again: threads that run on would have to meet first. */
  readonly rest?: number;
  /** Gives every buffer space of its own. */
  readonly keepAll?: boolean;
  /** Marks the steps after which threads need not meet. Every address that is written must be a spot. */
  readonly runOn?: boolean;
}

export interface Placed {
  readonly steps: Step[];
  /** Bytes of the buffers, from the base on. */
  readonly bytes: number;
  addressOf(buffer: Buffer): number;
}

const isSpot = (operand: Operand): operand is Spot => typeof operand === 'object' && 'buffer' in operand;

/** Kernel calls written down before their buffers have addresses; `place` then gives them, space being used again. */
export class Program {
  private readonly calls: Call[] = [];
  private buffers = 0;

  /** The number of calls so far: where a phase begins. */
  get length(): number {
    return this.calls.length;
  }

  buffer(bytes: number): Buffer {
    return { id: this.buffers++, bytes };
  }

  /** Memory that lies elsewhere. */
  outside(at: Argument | string): Buffer {
    return { id: this.buffers++, bytes: 0, at };
  }

  /** `items`: what the threads share; null: one of them makes the call alone. */
  call(kernel: KernelName, operands: readonly Operand[], items: number | Argument | null): void {
    this.calls.push({ kernel, operands, items: typeof items === 'number' ? constant(items) : items });
  }

  /** Steps at fixed addresses from `base` on. It can be placed more than once. */
  place(base: number, placing: Placing = {}): Placed {
    const places = new Places(base, placing, lastUses(this.calls));
    const steps = this.calls.map((call, index) => places.step(call, index));
    return {
      steps: placing.runOn ? withRunOn(steps, this.calls, places) : steps,
      bytes: places.bytes,
      addressOf: (buffer) => places.region(buffer).offset,
    };
  }
}

function lastUses(calls: readonly Call[]): Map<Buffer, number> {
  const last = new Map<Buffer, number>();
  calls.forEach(({ operands }, index) => operands.filter(isSpot).forEach(({ buffer }) => last.set(buffer, index)));
  return last;
}

/** Where buffers lie, call by call. */
class Places {
  private readonly space = new BufferSpace();
  private readonly regions = new Map<Buffer, Region>();
  /** Buffers that each of the last calls was the last to name. */
  private readonly leaving: Region[][] = [];

  constructor(
    private readonly base: number,
    private readonly placing: Placing,
    private readonly lastUse: ReadonlyMap<Buffer, number>,
  ) {}

  get bytes(): number {
    return this.space.bytes;
  }

  /** In absolute bytes; each buffer that lies elsewhere has a byte that is no other's. */
  region(buffer: Buffer): Region {
    return this.regions.get(buffer)!;
  }

  step({ kernel, operands, items }: Call, index: number): Step {
    const named = new Set(operands.filter(isSpot).map(({ buffer }) => buffer));
    for (const buffer of named) if (!this.regions.has(buffer)) this.regions.set(buffer, this.take(buffer));
    const values = operands.map((operand) => (isSpot(operand) ? this.argument(operand) : typeof operand === 'number' ? constant(operand) : operand));
    this.giveBack([...named].filter((buffer) => buffer.at === undefined && this.lastUse.get(buffer) === index));
    return { kernel, arguments: values, items };
  }

  private take({ id, bytes, at }: Buffer): Region {
    return at === undefined ? { offset: this.base + this.space.take(bytes), bytes } : { offset: -1 - id, bytes: 1 };
  }

  private giveBack(buffers: readonly Buffer[]): void {
    if (this.placing.keepAll) return;
    this.leaving.push(buffers.map((buffer) => this.region(buffer)));
    const gone = this.leaving.splice(0, this.leaving.length - (this.placing.rest ?? 0));
    for (const { offset, bytes } of gone.flat()) this.space.give(offset - this.base, bytes);
  }

  private argument({ buffer, offset }: Spot): Argument {
    const start = this.start(buffer);
    return { ...start, base: start.base + offset };
  }

  private start(buffer: Buffer): Argument {
    if (buffer.at === undefined) return constant(this.region(buffer).offset);
    if (typeof buffer.at !== 'string') return buffer.at;
    const at = this.placing.addresses?.get(buffer.at) ?? 0;
    return typeof at === 'number' ? constant(at) : at;
  }
}

/** Threads need not meet after a step where the next touches nothing that others may still be busy with. */
function withRunOn(steps: readonly Step[], calls: readonly Call[], places: Places): Step[] {
  const barriers = new Barriers();
  const meets = calls.map(({ operands, items }) => {
    const spots = operands.filter(isSpot);
    const regions = (some: readonly Spot[]) => some.map(({ buffer }) => places.region(buffer));
    return barriers.before({ reads: regions(spots), writes: regions(spots.filter(({ writes }) => writes)), items });
  });
  return steps.map((step, i) => (i + 1 < steps.length && !meets[i + 1] ? { ...step, runsOn: true } : step));
}
