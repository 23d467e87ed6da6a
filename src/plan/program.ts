import type { KernelName } from '../kernels/instance.js';
import { type Argument, constant, type Step } from '../kernels/steps.js';
import { BufferSpace } from './buffers.js';

/** Memory that lives from the first instruction that names it to the last. */
export interface Buffer {
  readonly id: number;
  readonly bytes: number;
}

/** An address within a buffer that has no place yet. */
export interface Spot {
  readonly buffer: Buffer;
  readonly offset: number;
}

export type Operand = number | Argument | Spot;

interface Instruction {
  readonly kernel: KernelName;
  readonly operands: readonly Operand[];
  readonly items: Argument;
}

const isSpot = (operand: Operand): operand is Spot => typeof operand === 'object' && 'buffer' in operand;

/** Kernel calls written down before their buffers have addresses; `place` then gives them, space being used again. */
export class Program {
  private readonly instructions: Instruction[] = [];
  private buffers = 0;

  /** The number of instructions so far: where a phase begins. */
  get length(): number {
    return this.instructions.length;
  }

  buffer(bytes: number): Buffer {
    return { id: this.buffers++, bytes };
  }

  call(kernel: KernelName, operands: readonly Operand[], items: number): void {
    this.instructions.push({ kernel, operands, items: constant(items) });
  }

  /** Steps at fixed addresses from `base` on, and the bytes that their buffers take. */
  place(base: number): { steps: Step[]; bytes: number } {
    const space = new BufferSpace();
    const offsets = new Map<number, number>();
    const lastUse = this.lastUses();
    const steps = this.instructions.map(({ kernel, operands, items }, index): Step => {
      const named = operands.filter(isSpot).map(({ buffer }) => buffer);
      for (const { id, bytes } of named) if (!offsets.has(id)) offsets.set(id, base + space.take(bytes));
      const values = operands.map((operand) => (isSpot(operand) ? constant(offsets.get(operand.buffer.id)! + operand.offset) : typeof operand === 'number' ? constant(operand) : operand));
      for (const { id, bytes } of new Set(named)) if (lastUse.get(id) === index) space.give(offsets.get(id)! - base, bytes);
      return { kernel, arguments: values, items };
    });
    return { steps, bytes: space.bytes };
  }

  private lastUses(): Map<number, number> {
    const last = new Map<number, number>();
    this.instructions.forEach(({ operands }, index) => operands.filter(isSpot).forEach(({ buffer }) => last.set(buffer.id, index)));
    return last;
  }
}
