import { afterEach, expect, it, vi } from 'vitest';
import { CONTROL, controlAt, controlBytes, meetAt } from '../../src/kernels/control.js';
import type { Kernels } from '../../src/kernels/instance.js';
import { deadAfterMs } from '../../src/kernels/pool.js';

afterEach(() => void vi.restoreAllMocks());

it('a wait counts the time that a thread was awake for it, not that of a machine that slept', () => {
  const memory = new WebAssembly.Memory({ initial: 1 }), control = controlAt(memory, 0, 2);
  expect(controlBytes(2)).toBeLessThan(memory.buffer.byteLength);
  control.words[CONTROL.arrivals] = 1; // this thread has come, the other has not
  const kernels = { exports: { barrier: () => 1 } } as unknown as Kernels;
  const hour = 3_600_000, told: number[] = [];
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += hour));
  const overdue = (waited: number) => {
    told.push(waited);
    if (told.length === 3) throw new Error('given up');
  };
  expect(() => meetAt(kernels, control, 0, { threads: 2, looks: 1, inHaste: 1, slept: 0, canWait: false, patienceMs: 100, overdue })).toThrow('given up');
  expect(told).toEqual([100, 200, 300]);
});

it('a thread gets ten seconds, or four times as long as the run took before', () => {
  expect([0, 2_000, 2_500, 60_000].map(deadAfterMs)).toEqual([10_000, 10_000, 10_000, 240_000]);
});
