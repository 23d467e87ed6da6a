// Threads that take part in some runs and sit others out give the bits that one thread gives.
import { expect, it, vi } from 'vitest';
import { nodeHost } from '../../src/host/node.js';
import { tinyModel } from '../models/tiny.js';
import { allLogits, bits, runnerFor } from './support.js';

const counts: number[] = [];

vi.mock('../../src/kernels/turnout.js', () => ({
  Turnout: class {
    private runs = 0;
    constructor(private readonly threads: number) {}
    get count(): number {
      const count = 1 + ((this.runs * 7) % 5) % this.threads;
      counts.push(count);
      return count;
    }
    add(): void {
      this.runs++;
    }
  },
}));

it('any number of threads in each run', async () => {
  const file = tinyModel({ architecture: 'llama', embedding: 64, layers: 2, heads: 4, kvHeads: 2, feedForward: 96, vocabulary: 61, context: 160 });
  const ids = Array.from({ length: 120 }, (_, i) => (i * 37 + 11) % 61);
  const alone = await runnerFor(nodeHost(), file);
  const expected = allLogits(alone, ids, [1]).map((row) => bits(row));
  const together = await runnerFor(nodeHost(), file, { threads: 4 });
  for (const chunks of [[1], [1, 2, 3, 30, 1]]) {
    allLogits(together, ids, chunks).forEach((row, i) => expect(bits(row), `position ${i}`).toEqual(expected[i]));
  }
  expect(new Set(counts)).toEqual(new Set([1, 2, 3, 4]));
  alone.dispose();
  together.dispose();
});
