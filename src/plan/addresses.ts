import type { Graph, Input } from '../graph/graph.js';
import type { Rows, RowTable } from '../graph/node.js';
import { F32_BYTES, rowStride } from '../kernels/layout.js';
import { type Argument, constant } from '../kernels/steps.js';

// What lies outside a plan's own buffers has a name until all is placed.
export const SCRATCH = 'scratch';
export const WEIGHT_OF = (name: string): string => `weight ${name}`;
export const GRADIENT_OF = (name: string): string => `gradient ${name}`;
export const INPUT_OF = (name: string): string => `input ${name}`;
export const OUTPUT_OF = (name: string): string => `output ${name}`;
export const FREQUENCIES_OF = (name: string): string => `frequencies ${name}`;
export const TABLE_OF = (name: RowTable, rows: Rows): string => `${name} of ${rows}`;

const ALIGN = 64;
/** Bytes of an entry. */
const TABLES: Readonly<Record<RowTable, number>> = { rows: 4, positions: 4, pages: 4, tiles: 8 };

/** Names and addresses one after another. */
export class Addresses {
  readonly at = new Map<string, number | Argument>();
  end = 0;

  take(name: string, bytes: number): void {
    this.at.set(name, this.end);
    this.end += rounded(bytes);
  }

  /** So much for each thread. */
  takeScratch(bytes: number, threads: number): void {
    this.at.set(SCRATCH, { ...constant(this.end), perThread: rounded(bytes) });
    this.end += rounded(bytes) * threads;
  }

  /** What the run says of its rows, and what the graph takes. */
  takeInputs({ inputs }: Graph, rows: number): void {
    for (const of of ['all', 'output'] as const) {
      for (const name of Object.keys(TABLES) as RowTable[]) if (!(name === 'rows' && of === 'all')) this.take(TABLE_OF(name, of), rows * TABLES[name]);
    }
    for (const [name, input] of Object.entries(inputs)) {
      this.take(INPUT_OF(name), rows * rowBytes(input));
      if (input.kind === 'angles') this.take(FREQUENCIES_OF(name), (input.rope.dims / 2) * 8);
    }
  }

  /** The same, shifted to begin at `base`. */
  from(base: number): Map<string, number | Argument> {
    return new Map([...this.at].map(([name, at]) => [name, typeof at === 'number' ? at + base : { ...at, base: at.base + base }]));
  }
}

const rounded = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

function rowBytes(input: Input): number {
  switch (input.kind) {
    case 'contextIds':
      return input.width * 4;
    case 'angles':
      return input.rope.dims * F32_BYTES;
    case 'rows':
      return rowStride(input.columns) * F32_BYTES;
    case 'spans':
      return 8; // a row may be a sequence, and one entry more
    default:
      return 4;
  }
}
