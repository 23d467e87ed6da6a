import { StonechatError } from '../errors.js';
import type { Build } from '../kernels/instance.js';
import { type BenchParts, benchCases } from './bench.js';
import { findLimits } from './limits.js';
import { QUICK_PACE } from './measure.js';
import { openSubject } from './subject.js';
import { openWorkbench, Space } from './workbench.js';

/** One kernel on one thread for a clock elsewhere: some runtimes (workerd) stop theirs while they compute. */
export interface OutsideKernel {
  readonly name: string;
  readonly unit: string;
  /** What one call counts for, in `unit` times a second. */
  readonly work: number;
  /** Operations or bytes of one call, and of one call of the limit; absent where no limit applies. */
  readonly limit?: { readonly own: number; readonly work: number };
  run(times: number): void;
  runLimit(times: number): void;
  digest(): string;
}

const L3_BYTES = 4 << 20;

/** Kernels by the names of the table. @throws StonechatError `bad-option`. */
export async function openKernel(parts: BenchParts, kernel: string, build: Build, quick = false): Promise<OutsideKernel> {
  const cases = benchCases(parts.host, quick);
  const each = cases.find(({ name }) => name === kernel);
  if (!each) throw new StonechatError({ code: 'bad-option', expected: `one of ${cases.map(({ name }) => name).join('; ')}`, found: JSON.stringify(kernel), remedy: 'Name it as the table does.' });
  const on = await openWorkbench(parts.host, build, false, parts.compileProbes);
  const { forms } = findLimits(on, QUICK_PACE, L3_BYTES);
  const space = new Space(on);
  const prepared = each.prepare(space, 1);
  const subject = await openSubject(on, space, each, prepared, forms, 1);
  const repeat = (call: (() => void) | undefined) => (times: number) => {
    for (let i = 0; i < times; i++) call?.();
  };
  const { limit } = subject;
  return {
    name: each.name,
    unit: each.unit,
    work: each.work,
    ...(limit && { limit: { own: each.limit!.work ?? prepared.reads!.bytes, work: limit.work } }),
    run: repeat(subject.run),
    runLimit: repeat(limit?.run),
    digest: subject.digest,
  };
}
