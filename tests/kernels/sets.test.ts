// Sets of kernels on one memory: with threads, and those that come later.
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node.js';
import { Arena } from '../../src/kernels/arena.js';
import { addSets, instantiateKernels, newMemory, type KernelName } from '../../src/kernels/instance.js';
import { controlBytes, type Pool, startPool } from '../../src/kernels/pool.js';
import { compileSets } from '../../src/kernels/sets.js';
import { type Argument, constant, SLOT, type Step } from '../../src/kernels/steps.js';
import { random, randomFloats } from './support.js';

const host = nodeHost();
const THREADS = 3, ROWS = 48, COLUMNS = 64;

describe('a set that comes later', () => {
  it('works in a new pool, while another goes on, on the same memory', async () => {
    const [core, floats] = await compileSets(host, 'simd', true, ['core', 'floats']);
    const first = instantiateKernels(core!, 'simd', newMemory(1, true));
    const arena = new Arena(first.memory);
    const floatsAt = (count: number) => {
      const address = arena.allocate(count * 4, 'a test');
      return { address, values: () => new Float32Array(first.memory.buffer, address, count) };
    };
    const x = floatsAt(COLUMNS), doubled = floatsAt(COLUMNS);
    x.values().set(randomFloats(COLUMNS, random(1)));
    const pools: Pool[] = [];
    const start = async (kernels: typeof first, kernel: KernelName, list: readonly (number | Argument)[], items: number) => {
      const steps: Step[] = [{ kernel, arguments: list.map((value) => (typeof value === 'number' ? constant(value) : value)), items: constant(items) }];
      const pool = await startPool(host, kernels, steps, THREADS, arena.allocate(controlBytes(THREADS), 'control'));
      pool.slots[SLOT.stepCount] = 1;
      pools.push(pool);
      return pool;
    };
    try {
      const adding = await start(first, 'add_f32', [doubled.address, x.address, x.address, COLUMNS, COLUMNS, COLUMNS, COLUMNS], 1);
      const double = () => {
        doubled.values().fill(0);
        adding.run();
        return [...doubled.values()];
      };
      const expected = [...x.values()].map((value) => Math.fround(value + value));
      expect(double()).toEqual(expected);

      const both = addSets(first, [floats!]);
      expect('repack_f32' in first.exports).toBe(false);
      const raw = floatsAt(ROWS * COLUMNS), y = floatsAt(ROWS);
      raw.values().set(randomFloats(ROWS * COLUMNS, random(2)));
      const packed = arena.allocate(both.exports.packed_bytes_f32(ROWS, COLUMNS), 'weights');
      both.exports.repack_f32(packed, raw.address, ROWS, COLUMNS);
      const bytes = both.exports.matmul_scratch_bytes(COLUMNS);
      const scratch: Argument = { ...constant(arena.allocate(bytes * THREADS, 'scratch')), perThread: bytes };
      const multiplying = await start(both, 'matmul_f32_f32', [y.address, x.address, packed, scratch, 1, COLUMNS, ROWS, COLUMNS], ROWS / 8);
      multiplying.run();
      const product = (row: number) => x.values().reduce((sum, value, i) => Math.fround(sum + Math.fround(value * raw.values()[row * COLUMNS + i]!)), 0);
      expect([...y.values()]).toEqual(Array.from({ length: ROWS }, (_, row) => product(row)));
      expect(double(), 'the first pool').toEqual(expected);
    } finally {
      for (const pool of pools) pool.stop();
    }
  });
});
